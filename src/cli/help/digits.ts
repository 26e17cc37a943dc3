// Help texts of train and generate.

export const TRAIN = `flamboyance train digits: trains a small Flamingo on handwritten digits, from nothing

Three phases: a vision encoder that tells digits apart; a language model on captions alone; then, with both frozen, the
resampler and the gates on pictures and captions. It ends with captions of digits that were held out.

Options
  --quick             a smaller model and fewer steps: a quarter of the time, which is about a minute
  --seed N            another start and other data (1)
  --backend NAME      auto (default: simd where it runs, else reference), simd or reference
  --out DIR           weights, checkpoints, report.md and gates.svg go there (flamboyance-digits)
  --resume            go on from the checkpoints in DIR
  --scale F           F times as many steps
  --held-out N        captions of only the first N held-out digits (all 299)
  --report FILE       write the evidence between <!-- evidence --> and <!-- end --> of a Markdown file
  --json              one document on stdout instead of lines and report

Exit status
  0 trained   2 a file or a backend is broken, or the run was stopped   3 usage

Example
  flamboyance train digits --quick --seed 3
`;

export const GENERATE = `flamboyance generate PICTURE…: captions pictures, in one sequence

PICTURE is a PNG file, or the number of a held-out digit, from 0. Up to four pictures make one sequence: each is
followed by its caption, and the captions before it are part of the text.

Options
  --model FILE        a model of train digits (the one that comes with this package)
  --sample            draw words by their probability instead of taking the likeliest
  --temperature T     with --sample: below 1 sharper, above 1 flatter (1)
  --top-k K           with --sample: only the K likeliest words
  --seed N            with --sample: another draw (1)
  --attend            show which picture each word attended to, layer by layer
  --backend NAME      reference (default), auto or simd
  --json              one document on stdout

Exit status
  0 done   2 a file is broken   3 usage

Example
  flamboyance generate 0 1 2 --attend
`;
