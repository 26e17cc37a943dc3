// The help text of `flamboyance probe`.

export const PROBE = `flamboyance probe -- COMMAND…: finds another implementation's mask convention

Writes DIR/inputs.safetensors (x, media, media_locations, text) and runs
COMMAND --case DIR --out DIR three times. The command writes
OUT/outputs.safetensors with outputs.out, the rows of its cross-attention or of
its gated block, and optionally taps.attn, the output of attention. Each image
is perturbed in turn; the rows that change identify the convention or the known
mistake. golden/adapters/probe.py is a template.

Options
  --expect NAME       the convention that the implementation should follow
  --dim D             features of x (default: 32)
  --media-dim E       features of media (default: the same as --dim)
  --latents R         latents of each image, an even number (default: 4)
  --timeout SECONDS   time limit of each run of the command (default: 120)
  --keep DIR          keep the files that were written and read
  --json              print one document

Exit status
  0 a convention explains every row   1 a known mistake, or an unknown mask
  2 the adapter is broken   3 usage

Example
  flamboyance probe --dim 32 -- python golden/adapters/probe.py
`;
