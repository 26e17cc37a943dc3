// The help text of `flamboyance conform`.

export const CONFORM = `flamboyance conform --actual DIR [PATH…]: judges another implementation

DIR/<case id>/actual.safetensors holds the tensors that the implementation
computed: every outputs.*, and optionally taps.* and grads.*, named as in
expected.safetensors. Outputs and gradients decide; taps locate the first
deviation. Gradient cases without grads.* are not compared if their outputs
conform; cases in which the release throws are never compared. Tensors under
other names, such as a misspelt tap, are listed as not compared. PATH is a case,
a folder of cases, or a name as flamboyance cases takes it (default: all cases).

Cases that differ are grouped by class, the smallest class first, and by the
known mistake that reproduces the output, if there is one: at most two seconds
are spent on each class. The worst element is shown with the letters of its axes
(b prompt, m image, l text position, d width).

Options
  --actual DIR        the folder to judge (required)
  --precision P       the precision of the computation: float32 (default),
                      float64, bfloat16 or float16. In the last two, cases are
                      skipped whose numbers the precision cannot express
  --full              judge the full-size cases instead
  --json | --junit | --markdown
                      print one document instead of the text; --json has the
                      groups as findings, and the cases without results

Exit status
  0 all compared cases conform   1 numbers differ
  2 a case is broken or has no result, or nothing was compared   3 usage

Example
  flamboyance check "swiglu--*" --precision float32 --out mine
  flamboyance conform --actual mine "swiglu--*"
`;
