// The help text of `flamboyance digits`.

export const DIGITS = `flamboyance digits caption PICTURE…: captions pictures of digits

PICTURE is a PNG or JPEG file, or the number of a held-out digit, from 0. Up to
four pictures make one sequence: each is followed by its caption, and the
captions of earlier pictures are part of the text.

flamboyance digits write --out FOLDER --count N: writes the first N held-out
digits (default: 100) for flamboyance evaluate: pictures, captions.jsonl,
questions.jsonl, and words.jsonl with questions in the words of this model

Options
  --model FILE        a model of train digits (default: the one of this package)
  --sample            sample tokens by probability instead of taking the most
                      probable one
  --temperature T     with --sample: sharper below 1, flatter above (default: 1)
  --top-k K           with --sample: only among the K most probable tokens
  --seed N            with --sample: the seed of the draws (default: 1)
  --attend            print each token's attention to each picture, by layer
  --backend NAME      reference (default), auto or simd
  --json              print one document

Exit status
  0 captioned   2 a file is broken   3 usage

Example
  flamboyance digits caption 0 1 2 --attend
`;
