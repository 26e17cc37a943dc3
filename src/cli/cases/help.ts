// The help text of `flamboyance cases`.

export const CASES = `flamboyance cases TASK …: the golden cases of this package

Tasks
  list [NAME…]        their names, classes and titles
  show NAME           one case: source, arguments, tensors and tolerances
  path [NAME…]        the folders of cases; without NAME the folder of all
  copy DIR [NAME…]    write cases, golden/FORMAT.md, golden/COVERAGE.md and the
                      adapters to DIR, which must be new or empty

NAME is the name of a case (swiglu--basic, flamingo-pytorch/swiglu--basic), of a
class (SwiGLU, flamingo-pytorch/SwiGLU) or of a package (flamingo-pytorch), a
path, or a pattern (swiglu--*, */*--gradients*), in quotes for the shell. The
commands check and conform take the same names. The installed package has a
selection of the cases, a clone of the repository has all.

Options
  --package NAME      only cases of this package
  --class NAME        only cases of this class
  --level LEVEL       only cases of this level: op, module, block, model,
                      decode, grad, preprocess or mask
  --json              print one document

Exit status
  0 done   2 a case does not exist or cannot be read, or DIR cannot be written
  3 usage

Example
  flamboyance cases list --class MaskedCrossAttention
  flamboyance cases copy kit "swiglu--*" "masked-cross-attention--*"
  python port.py mine $(flamboyance cases path "swiglu--*")
  flamboyance conform --actual mine "swiglu--*"
`;
