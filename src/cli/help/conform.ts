// The help text of `flamboyance conform`.

export const CONFORM = `flamboyance conform --actual DIR [PATH…]: judges another implementation

DIR/<case id>/actual.safetensors holds the tensors that the implementation
computed: every outputs.*, and optionally taps.* and grads.*, named as in
expected.safetensors. Outputs and gradients decide; taps locate the first
deviation.

Options
  --actual DIR        the folder to judge (required)
  --precision P       the precision of the computation: float32 (default),
                      float64, bfloat16 or float16
  --full              judge the full-size cases instead
  --json | --junit | --markdown
                      print one document instead of the table

Exit status
  0 all cases conform   1 numbers differ   2 a case is broken or has no result
  3 usage

Example
  flamboyance check --precision float32 --out mine
  flamboyance conform --actual mine
`;
