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

Other tasks: flamboyance train kosmos-digits --help
             flamboyance train perceiver-digits --help
             flamboyance train perceiver-flow --help
             flamboyance train smollm2-digits --help
`;

export const TRAIN_KOSMOS = `flamboyance train kosmos-digits: trains a small Kosmos on text with pictures of
handwritten digits

An image tower learns to classify digits. Then, with the tower frozen, a
resampler and a Magneto decoder learn documents with one to three pictures
before, between and behind the text: captions, and questions about one of
several pictures. Each picture is four vectors in the sequence. At the end the
model captions held-out digits, swapped and blanked ones too, and answers
questions.

With --compare a FlamingoPaLM of about the same size, whose gated layers attend
to the pictures, learns the same documents, and both are reported side by side.

--out DIR holds the folder of the Kosmos, which flamboyance caption and vqa
read, ten held-out pictures, report.md and reach.svg: which positions a change
of each picture changes. With --compare its folder flamingo is that of the
FlamingoPaLM, which they read too.

Options
  --compare           train FlamingoPaLM on the same documents too
  --seed N            the seed of weights and data (default: 1); may be
                      repeated: the report has every seed, DIR the model of the
                      first
  --steps N           steps of 24 documents each (default: 800)
  --vision-steps N    steps of the image tower (default: 600)
  --held-out N        measure on the first N held-out digits (default: 299)
  --backend NAME      auto (default: simd where it runs, else reference), simd
                      or reference
  --out DIR           (default: flamboyance-kosmos-digits)
  --resume            continue from the checkpoints of the same run in DIR;
                      without it, earlier results in DIR are removed
  --report FILE       write the results between <!-- evidence --> and
                      <!-- end --> of a Markdown file, or to a new one
  --json              print one document instead of lines and a report

Exit status
  0 trained   2 a file or a backend is broken   3 usage   130 stopped by Ctrl-C

Example
  flamboyance train kosmos-digits --compare --seed 1 --seed 2 --out run
  flamboyance train kosmos-digits --compare --seed 1 --seed 2 --out run --resume
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
  --out DIR           folder of model.safetensors, report.txt and the
                      checkpoint
                      (default: flamboyance-perceiver-digits)
  --resume            continue from the checkpoint of the same run in DIR;
                      without it, earlier results in DIR are removed
  --json              print one document instead of lines and a report

Exit status
  0 trained   2 a file or a backend is broken   3 usage   130 stopped by Ctrl-C

Example
  flamboyance train perceiver-digits --seed 3 --out run
  flamboyance train perceiver-digits --seed 3 --out run --resume
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
  --out DIR           folder of model.safetensors, report.txt, flow.png and
                      the checkpoint
                      (default: flamboyance-perceiver-flow)
  --resume            continue from the checkpoint of the same run in DIR;
                      without it, earlier results in DIR are removed
  --json              print one document instead of lines and a report

Exit status
  0 trained   2 a file or a backend is broken   3 usage   130 stopped by Ctrl-C

Example
  flamboyance train perceiver-flow --steps 300 --out run
  flamboyance train perceiver-flow --steps 300 --out run --resume
`;

export const TRAIN_SMOLLM2 = `flamboyance train smollm2-digits --model FOLDER: teaches a pretrained language
model to see handwritten digits

FOLDER is SmolLM2-135M-Instruct; in a clone of the repository, npm run
fetch:smollm2 makes it. Two phases: a small image tower learns to classify
digits; then, with it and the language model frozen, the resampler and the gated
layers of an OpenFlamingo learn captions and questions about pairs of pictures.
At the end the model captions held-out pairs, swapped and blanked ones too, and
answers questions about the second picture.

--out DIR holds the folder of an OpenFlamingo, ten held-out pictures, report.md
and gates.svg. The language model is not copied: DIR has the path of its folder.

Options
  --model FOLDER      the language model (required)
  --seed N            the seed of weights and data (default: 1)
  --steps N           steps of the second phase (default: 400)
  --vision-steps N    steps of the first phase (default: 400)
  --texts N           distinct texts of the second phase (default: 200)
  --first-layer N     the first layer with cross-attention, counted from 0
                      (default: 20)
  --backend NAME      auto (default: simd where it runs, else reference), simd
                      or reference
  --out DIR           (default: flamboyance-smollm2-digits)
  --resume            continue from the checkpoints of the same run in DIR;
                      without it, earlier results in DIR are removed
  --held-out N        measure on the first N held-out digits (default: 299)
  --report FILE       write the results between <!-- evidence --> and
                      <!-- end --> of a Markdown file, or to a new one
  --json              print one document instead of lines and a report

Exit status
  0 trained   2 a file or a backend is broken   3 usage   130 stopped by Ctrl-C

Example
  flamboyance train smollm2-digits --out run \\
    --model ~/.cache/flamboyance/SmolLM2-135M-Instruct
`;
