// Usage errors and help texts.

/** The command line itself is wrong: exit 3. */
export class UsageError extends Error {
  override name = "UsageError";
}

export const OVERVIEW = `flamboyance: a readable reference implementation of Flamingo, with conformance tests

Usage
  flamboyance check   [PATH…]             run this implementation on golden cases
  flamboyance conform --actual DIR        judge tensors that another implementation wrote
  flamboyance --version | --help | COMMAND --help

Example
  flamboyance check --precision float32 --json
`;

export const CHECK = `flamboyance check [PATH…]: runs this implementation on golden cases

PATH is a case or a folder of cases; by default all that come with this package. Each runs in float64 and in float32.

Options
  --backend NAME      reference (default), simd, auto (simd, else reference) or gpu
  --mode MODE         of the gpu backend: webasm (default) or cpu
  --precision P       float64, float32, bfloat16 or float16 instead of the first two
  --full              the full-size cases instead (in float32; minutes)
  --out DIR           also write DIR/<id>/actual.safetensors
  --tour              end with a mask drawn and a hint what to try next
  --json | --junit | --markdown   one document on stdout instead of the table

Exit status
  0 all conform   1 numbers differ   2 a case is broken, or a kernel did not run where it was asked to   3 usage

Example
  flamboyance check golden/cases/flamingo-pytorch --precision float64
`;

export const CONFORM = `flamboyance conform --actual DIR [PATH…]: judges the tensors of another implementation

DIR/<case id>/actual.safetensors holds what the implementation computed: at least outputs.out, and as many taps.* and
grads.* as it can tell (names as in expected.safetensors). Outputs and gradients decide; taps say where a deviation begins.

Options
  --actual DIR        the folder to judge (required)
  --precision P       float32 (default), float64, bfloat16 or float16: what the implementation computed in
  --full              judge the full-size cases instead
  --json | --junit | --markdown   one document on stdout instead of the table

Exit status
  0 all conform   1 numbers differ   2 a case is broken or has no result   3 usage

Example
  flamboyance check --precision float32 --out /tmp/mine && flamboyance conform --actual /tmp/mine
`;
