// The help text of `flamboyance probe`.

export const PROBE = `flamboyance probe -- COMMAND…: finds another implementation's mask convention

Writes DIR/inputs.safetensors (x, media, media_locations, text) and runs
COMMAND --case DIR --out OUT. The command writes OUT/outputs.safetensors with
outputs.out, the rows of its cross-attention or of its gated block, and
optionally taps.attn, the output of attention. Each image is perturbed in turn;
the rows that change identify the convention or the known mistake. The same
prompts are computed in other batches and alone, to see that no prompt depends
on another. golden/adapters/probe.py of this package is a template; flamboyance
cases copy DIR writes it to DIR/adapters.

The command is run nine times, and up to five times more to name the cause
where prompts depend on each other. It writes {"skipped": "reason"} to
OUT/adapter.json where it has no cache (case.json: passes) or needs
media_locations.

Options
  --expect NAME       the convention that the implementation should follow;
                      "last 2": a token sees the last 2 images
  --dim D             features of x (default: 32)
  --media-dim E       features of media (default: the same as --dim)
  --latents R         latents of each image, an even number (default: 4)
  --timeout SECONDS   time limit of each run of the command (default: 120)
  --keep DIR          keep the files that were written and read
  --json              print one document

Exit status
  0  a convention explains every row, and no known mistake has the same rows;
     with --expect: that convention does
  1  a known mistake, also if a convention has the same rows (all-previous, for
     example: --expect all-previous certifies it); prompts that depend on the
     batch; an unknown mask
  2  the adapter is broken, its output is random, or a call was not answered
  3  usage

Example
  flamboyance cases copy kit
  flamboyance probe --dim 32 -- python kit/adapters/probe.py
`;
