// The help text of `flamboyance mask`.

export const MASK = `flamboyance mask PROMPT…: shows which token attends to which image, and why

PROMPT is text. Its tokens are words, punctuation and anything in angle
brackets, such as <image>, </s> and <|eot_id|>; line breaks are white space.
One argument is one prompt, several are a batch; after -- everything is a
prompt. Instead of prompts, one path can be given: the folder of a golden case,
or a .safetensors file with inputs.media_locations, or with inputs.input_ids and
--image-token. Attention that such a file records is compared with the
convention: taps.…attn (weights), inputs.cross_attention_mask (Mllama: text,
images, tiles) or inputs.image_attention_mask (IDEFICS: text, images).

Options
  --convention NAME   the convention, or a part of its name that no other name
                      contains (default: immediate; for a case, its source's)
  --against NAME      a second convention, and every row in which the two differ
  --images N[,N…]     images of each prompt (default: one for each image token)
  --image-token T     the token of an image: text, such as "<ImageHere>"
                      (default: the convention's own, or the first that occurs
                      of <image>, <|image|>, <Image>); an id, such as -200; or
                      several ids that are one image together, such as 5,6,7
  --image-length N    N image tokens in a row are one image; run: each unbroken
                      run is one (default: 1)
  --num-tiles N,N…    tiles of each image, in Mllama; prompts are separated by ;
  --max-num-tiles N   tiles that are stored for each image (default: 4)
  --segments end      each end token ends a sample of a packed row; 5,9: samples
                      of 5 and 9 tokens. Rows that see another sample's images
                      are reported
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

Limits
  A grid has up to 100 tokens and 64 columns, and fits the terminal; other masks
  are printed as runs of equal rows. At most 16 prompts, 256 runs, 16 warnings.
  --json lists tokens and rows up to 65,536 entries (positions times images),
  and runs of any batch, up to 100,000 runs and warnings.
  A batch has up to 400,000 positions, with --cached 100,000.

Conventions
  immediate, all-previous, paper, flamingo-pytorch@0.1.2 immediate,
  open-flamingo@2.0.1, flamingo-mini, otter, idefics, mllama reference …
  (an unknown name lists them all); "last 2" for the last two images, and so on

Exit status
  0 shown, with or without warnings   2 a file is broken   3 usage

Example
  flamboyance mask "A cat: <image> Two: <image><image>" --against all-previous
  flamboyance mask run.safetensors --convention "mllama ref" --num-tiles 1,3
`;
