// The gated block: cross-attention and a feed-forward network, each behind a tanh gate and a residual connection.
import { className, model, shapesIn } from "./example.mjs";
import { box, figure, line, node, text, WIDTH } from "./svg.mjs";

const PATH = "layers.0.1";
const [STREAM, LEFT, MIDDLE, RIGHT] = [56, 112, 240, WIDTH - 14];

const block = model.layers[0][1];
const { axes } = shapesIn("gated-block");
const start = block.attn_gate.flat()[0];

/** A branch of the residual stream: into a module, times its gate, back to the stream. Its height is 140. */
function branch(y, { name, gate, pattern }) {
  const path = `${PATH}.${name}`;
  return [
    line(
      [
        [STREAM, y + 28],
        [LEFT, y + 28],
      ],
      { arrow: true },
    ),
    box(LEFT, y + 4, RIGHT - LEFT, 48, { fill: "trained", stroke: "two", thick: 2 }),
    text(MIDDLE + 20, y + 24, className(block[name]), { code: true, bold: true, anchor: "middle" }),
    text(MIDDLE + 20, y + 43, name, { code: true, fill: "faint", anchor: "middle" }),
    line(
      [
        [MIDDLE, y + 52],
        [MIDDLE, y + 90],
      ],
      { arrow: true },
    ),
    text(MIDDLE + 10, y + 74, axes(path, pattern), { code: true, fill: "faint" }),
    node(MIDDLE, y + 100, "×"),
    text(MIDDLE + 18, y + 104.5, `tanh(${gate})`, { code: true }),
    line(
      [
        [MIDDLE - 10, y + 100],
        [STREAM + 10, y + 100],
      ],
      { arrow: true },
    ),
  ];
}

export function gatedBlock() {
  const [first, second, end] = [78, 226, 356];
  const residual = axes(PATH, "b l d");
  const media = axes("perceiver_resampler", "b m r d");
  const mask = axes("mask", "b l m");
  const gates = ["attn_gate", "ff_gate"].filter((gate) => gate in block);
  return figure({
    title: `${className(block)}: cross-attention and a feed-forward network, each behind a tanh gate`,
    description: `The text x ${residual} enters ${className(block.attn)}, together with the latents of all images ${media} and the mask ${mask}. The result is multiplied by tanh(${gates[0]}) and added to x. The sum enters ${className(block.ff)}, whose result is multiplied by tanh(${gates[1]}) and added to the sum.`,
    height: end + 66,
    parts: [
      text(STREAM - 36, 24, "text x", { bold: true }),
      text(STREAM - 36, 42, axes(PATH, "b l d"), { code: true }),
      text(LEFT + 16, 24, "latents of images", { bold: true }),
      text(LEFT + 16, 42, media, { code: true }),
      line(
        [
          [LEFT + 70, 50],
          [LEFT + 70, first + 4],
        ],
        { arrow: true },
      ),
      text(LEFT + 184, 24, "mask", { bold: true }),
      text(LEFT + 184, 42, mask, { code: true }),
      line(
        [
          [LEFT + 212, 50],
          [LEFT + 212, first + 4],
        ],
        { arrow: true },
      ),
      line(
        [
          [STREAM, 50],
          [STREAM, first + 90],
        ],
        { arrow: true, thick: 3 },
      ),
      ...branch(first, { name: "attn", gate: gates[0], pattern: "b l d" }),
      node(STREAM, first + 100, "+"),
      line(
        [
          [STREAM, first + 110],
          [STREAM, second + 90],
        ],
        { arrow: true, thick: 3 },
      ),
      ...branch(second, { name: "ff", gate: gates[1], pattern: "b l d" }),
      node(STREAM, second + 100, "+"),
      line(
        [
          [STREAM, second + 110],
          [STREAM, end + 10],
        ],
        { arrow: true, thick: 3 },
      ),
      text(STREAM - 36, end + 28, axes(PATH, "b l d"), { code: true }),
      text(LEFT + 16, end + 10, `Both gates are ${start} before training:`, { fill: "faint" }),
      text(LEFT + 16, end + 28, `tanh(${start}) = ${Math.tanh(start)}, the block returns x.`, {
        fill: "faint",
      }),
      text(14, end + 52, "Thick: the residual stream", { fill: "faint" }),
    ],
  });
}
