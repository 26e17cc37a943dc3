// Draws the figures of the documents: node docs/figures/draw.mjs [FOLDER], after a build. Without a folder it writes beside itself.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { architecture } from "./drawing/architecture.mjs";
import { emptyRow } from "./drawing/empty-row.mjs";
import { gatedBlock } from "./drawing/gated-block.mjs";
import { mask } from "./drawing/mask.mjs";
import { mediaTextTime } from "./drawing/media-text-time.mjs";
import { perceiverResampler } from "./drawing/resampler.mjs";

const FIGURES = {
  architecture,
  resampler: perceiverResampler,
  "gated-block": gatedBlock,
  "empty-row": emptyRow,
  mask,
  "media-text-time": mediaTextTime,
};

const folder = process.argv[2] ?? import.meta.dirname;
for (const [name, draw] of Object.entries(FIGURES)) writeFileSync(join(folder, `${name}.svg`), draw());
