// Usage errors and help texts.

/** The command line itself is wrong: exit 3. */
export class UsageError extends Error {
  override name = "UsageError";
}

export const CHECK = `flamboyance check [PATH…]: runs this implementation on golden cases

PATH is a case or a folder of cases; by default all that come with this package. Each runs in float64 and in float32.
Where a folder of exhaustive mask cases is among them, the conventions are held to its shorter prompts; named itself
(golden/cases/masks) it is checked to its end, and the table tells rows, disagreements and what is unproven.

Options
  --backend NAME      reference (default), simd, auto (simd, else reference) or gpu
  --mode MODE         of the gpu backend: webasm (default) or cpu; headlessgl where gl is installed
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

export const MASK = `flamboyance mask PROMPT…: which token sees which image, and why

PROMPT is text; words, punctuation and <image> are its tokens, and </s>, <|endofchunk|> and their like end tokens. Several
prompts are a batch. Or one path: a golden case's folder, or a .safetensors file with inputs.media_locations.

Options
  --convention NAME   whose rule (default immediate; of a case, its source's). Part of a name will do if it is the only one
  --against NAME      a second convention, and every row where the two differ
  --images N[,N…]     images given to each prompt (default: as many as it has image tokens)
  --pad SIDE          where shorter prompts are filled: right (default) or left
  --cached            also decode token by token and compare with the whole text's mask
  --known K           how many tokens are known when decoding begins (default: up to the last image)
  --ids FILE          token ids instead of words: JSON, or a prompt a line; - is stdin. Needs --image-token ID,
                      takes --end-token ID and --pad-token ID
  --trace FILE        attention that was recorded for a case (actual.safetensors), held against the convention
  --latents R         columns an image
  --ascii             # and . in the grid
  --json              one document on stdout

Conventions
  immediate, all-previous, paper, flamingo-pytorch@0.1.2 immediate, open-flamingo@2.0.1, flamingo-mini, otter, idefics,
  mllama reference … (a name that there is none of lists them all)

Exit status
  0 answered   2 a file is broken   3 usage

Example
  flamboyance mask "A cat: <image> Two dogs: <image><image> done" --against all-previous
`;

export const PROBE = `flamboyance probe -- COMMAND…: which mask another implementation really has

Writes DIR/inputs.safetensors (x, media, media_locations, text) and runs COMMAND --case DIR --out DIR, three times. The
command writes OUT/outputs.safetensors with outputs.out, the rows of its cross-attention or of its gated block, and if it
can taps.attn, what attention adds. Each image is changed in turn; the rows that move say which convention, or which
known mistake, it follows. golden/adapters/probe.py is a template.

Options
  --expect NAME       the convention that it should follow
  --dim D             features of x (default 32)
  --media-dim E       features of media (default as --dim)
  --latents R         latents an image, an even number (default 4)
  --timeout SECONDS   for each run of the command (default 120)
  --keep DIR          keep what was written and read
  --json              one document on stdout

Exit status
  0 a named convention on every row   1 a known mistake, or none that is known   2 the adapter is broken   3 usage

Example
  flamboyance probe --dim 32 -- python golden/adapters/probe.py
`;
