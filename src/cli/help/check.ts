// The help text of `flamboyance check`.

export const CHECK = `flamboyance check [PATH…]: runs this implementation on golden cases

PATH is a case, a folder of cases, or a name as flamboyance cases takes it:
swiglu--basic, flamingo-pytorch, SwiGLU, "swiglu--*" (default: all cases of this
package). Each case runs in float64 and in float32. If a folder of exhaustive
mask cases is among them, its shorter prompts are checked; if its own path is
given (golden/cases/masks in the repository), all of its prompts are, and the
table shows the rows and disagreements of each convention, and the conventions
without recorded runs.

Full-size cases beside others are skipped and named. The last lines list what
was not compared, such as taps that the fused kernels of a backend leave out.

Options
  --backend NAME      reference (default), simd, auto (simd where it runs, else
                      reference) or gpu
  --mode MODE         mode of gpu: webasm (default), cpu, or headlessgl if gl is
                      installed
  --precision P       float64, float32, bfloat16 or float16 instead of the two
                      default precisions
  --full              the full-size cases instead, in float32; takes minutes
  --out DIR           also write DIR/<id>/actual.safetensors
  --tour              end with a drawing of a mask and captioned pictures
  --json | --junit | --markdown
                      print one document instead of the table

Exit status
  0 all compared cases conform   1 numbers differ   2 a case is broken,
  nothing was compared, or a kernel ran outside the backend   3 usage

Example
  flamboyance check flamingo-pytorch --precision float64
`;
