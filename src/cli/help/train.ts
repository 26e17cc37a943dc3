// The help texts of `flamboyance train`.

export const TRAIN = `flamboyance train digits: trains a small Flamingo on handwritten digits

Three phases from random weights: a vision encoder that classifies digits; a
language model on captions alone; then, with both frozen, the resampler and the
gated layers on pictures and captions. At the end it captions held-out digits.

Options
  --quick             a smaller model and fewer steps: under a minute
  --seed N            the seed of weights and data (default: 1)
  --backend NAME      auto (default: simd where it runs, else reference), simd
                      or reference
  --out DIR           folder of weights, checkpoints, report.md and gates.svg
                      (default: flamboyance-digits)
  --resume            continue from the checkpoints of the same run in DIR;
                      without it, earlier results in DIR are removed
  --scale F           multiply the number of steps by F
  --held-out N        caption only the first N held-out digits (default: 299)
  --report FILE       write the results between <!-- evidence --> and
                      <!-- end --> of a Markdown file, or to a new one
  --json              print one document instead of lines and a report

Exit status
  0 trained   2 a file or a backend is broken   3 usage   130 stopped by Ctrl-C

Example
  flamboyance train digits --quick --seed 3

Other tasks: flamboyance train perceiver-digits --help
             flamboyance train perceiver-flow --help
`;

export const TRAIN_PERCEIVER = `flamboyance train perceiver-digits: trains a small Perceiver IO on handwritten
digits

It classifies a digit from its 64 pixels, each with Fourier features of its
position. At the end it reports the accuracy on held-out digits, what was
confused, and which pixels each latent reads.

Options
  --seed N            the seed of weights and data (default: 1)
  --steps N           steps of 64 digits each (default: 2400)
  --backend NAME      auto (default: simd where it runs, else reference), simd
                      or reference
  --out DIR           folder of model.safetensors and report.txt
                      (default: flamboyance-perceiver-digits)
  --json              print one document instead of lines and a report

Exit status
  0 trained   2 a file or a backend is broken   3 usage   130 stopped by Ctrl-C

Example
  flamboyance train perceiver-digits --seed 3 --out run
`;

export const TRAIN_PERCEIVER_FLOW = `flamboyance train perceiver-flow: trains a small Perceiver IO to see motion

Two handwritten digits move by up to three pixels between two frames. From the
neighbourhood of each pixel in both frames the model estimates where the pixel
goes (optical flow). At the end it reports the mean distance from the true
motion for held-out digits, and draws true and estimated motions as flow.png.

Options
  --seed N            the seed of weights and data (default: 1)
  --steps N           steps of 32 pairs of frames each (default: 1000)
  --backend NAME      auto (default: simd where it runs, else reference), simd
                      or reference
  --out DIR           folder of model.safetensors, report.txt and flow.png
                      (default: flamboyance-perceiver-flow)
  --json              print one document instead of lines and a report

Exit status
  0 trained   2 a file or a backend is broken   3 usage   130 stopped by Ctrl-C

Example
  flamboyance train perceiver-flow --steps 300 --out run
`;
