// The help text of `flamboyance mask`.

export const MASK = `flamboyance mask PROMPT…: shows which token attends to which image, and why

PROMPT is text. Its tokens are words, punctuation, <image>, and end tokens such
as </s> and <|endofchunk|>. Several prompts are a batch. Instead of prompts, one
path can be given: the folder of a golden case, or a .safetensors file with
inputs.media_locations.

Options
  --convention NAME   the convention, or a part of its name that no other name
                      contains (default: immediate; for a case, its source's)
  --against NAME      a second convention, and every row in which the two differ
  --images N[,N…]     images of each prompt (default: one for each image token)
  --pad SIDE          the side on which shorter prompts are padded: right
                      (default) or left
  --cached            also decode token by token and compare with the full mask
  --known K           tokens that are known before decoding (default: up to the
                      last image)
  --ids FILE          token ids instead of words: JSON, or one prompt a line;
                      - is stdin. Needs --image-token ID; --end-token ID and
                      --pad-token ID are optional
  --trace FILE        recorded attention of a case (actual.safetensors), to be
                      compared with the convention
  --latents R         columns of each image (default: 1)
  --ascii             draw the grid with # and .
  --json              print one document

Conventions
  immediate, all-previous, paper, flamingo-pytorch@0.1.2 immediate,
  open-flamingo@2.0.1, flamingo-mini, otter, idefics, mllama reference …
  (an unknown name lists them all); "last 2" for the last two images, and so on

Exit status
  0 shown   2 a file is broken   3 usage

Example
  flamboyance mask "A cat: <image> Two: <image><image>" --against all-previous
`;
