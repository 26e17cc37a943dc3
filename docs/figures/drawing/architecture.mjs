// Flamingo: a frozen image encoder, the resampler, and gated blocks between the frozen layers of the language model.
import { className, isTrained, model, shapesIn } from "./example.mjs";
import { box, figure, line, text } from "./svg.mjs";

const { axes } = shapesIn("architecture");
const IMAGES = axes("images", "b m c h w");
const MEDIA = axes("perceiver_resampler", "b m r d");
const FEATURES = axes("perceiver_resampler.layers.0.0.norm_media", "b m s d");
const IDS = axes("text", "b l");
const STREAM = axes("layers.0.0", "b l d");
const LOGITS = axes("logits", "b l n");

const [LEFT, RIGHT, NARROW, BROAD, HEIGHT, GAP] = [94, 306, 164, 204, 42, 28];

const code = (x, y, words, rest = {}) => text(x, y, words, { code: true, anchor: "middle", ...rest });
const down = (x, from, to, rest = {}) =>
  line(
    [
      [x, from],
      [x, to],
    ],
    { arrow: true, ...rest },
  );

/** A module with its class and its path; trained modules have a thick border, frozen ones a dashed one. */
function module(x, y, width, path, value, inner = null) {
  const look = isTrained(path)
    ? { fill: "trained", stroke: "two", thick: 2 }
    : { fill: "frozen", stroke: "line", dashed: true };
  return [
    box(x - width / 2, y, width, HEIGHT, look),
    code(x, y + 18, inner === null ? className(value) : `${className(value)}(${className(inner)})`, {
      bold: true,
    }),
    code(x, y + 35, path, { fill: "faint" }),
  ];
}

/** The modules of the text, from its ids to the logits: path and value. */
const column = [
  ["token_emb", model.token_emb],
  ...model.layers.flatMap((layer, i) => [
    [`layers.${i}.0`, layer[0].fn],
    ...(layer[1] === null ? [] : [[`layers.${i}.1`, layer[1]]]),
  ]),
  ["to_logits", model.to_logits],
];
const TOP = 62;
const yOf = (i) => TOP + i * (HEIGHT + GAP);

const resamplerAt = yOf(1);
const isGated = (path) => isTrained(path);
const gatedAt = column.flatMap(([path], i) => (isGated(path) ? [yOf(i) + HEIGHT / 2] : []));

export function architecture() {
  const bottom = yOf(column.length);
  const encoder = model.img_encoder;
  const list = column.map(
    ([path, value]) => `${className(value)} (${isTrained(path) ? "trained" : "frozen"})`,
  );
  return figure({
    title: `${className(model)}: gated blocks between the frozen layers of a language model`,
    description: `Images ${IMAGES} pass the frozen ${className(encoder.vit)}; ${className(model.perceiver_resampler)}, which is trained, maps its features ${FEATURES} to the latents of each image ${MEDIA}. Text ${IDS} passes ${list.join(", ")}; the latents enter each ${className(model.layers[0][1])}.`,
    height: bottom + 76,
    parts: [
      text(LEFT, 24, "images", { bold: true, anchor: "middle" }),
      code(LEFT, 42, IMAGES),
      down(LEFT, 48, yOf(0)),
      ...module(LEFT, yOf(0), NARROW, "img_encoder", encoder, encoder.vit),
      down(LEFT, yOf(0) + HEIGHT, yOf(1)),
      code(LEFT + 8, yOf(0) + HEIGHT + 20, FEATURES, { anchor: "start" }),
      ...module(LEFT, yOf(1), NARROW, "perceiver_resampler", model.perceiver_resampler),
      line(
        [
          [LEFT, resamplerAt + HEIGHT],
          [LEFT, gatedAt.at(-1)],
        ],
        { stroke: "two", thick: 3 },
      ),
      code(LEFT - 8, resamplerAt + HEIGHT + 20, MEDIA, { anchor: "end" }),
      ...gatedAt.map((y) =>
        line(
          [
            [LEFT, y],
            [RIGHT - BROAD / 2 - 1, y],
          ],
          { stroke: "two", thick: 3, arrow: true },
        ),
      ),
      text(RIGHT, 24, "text", { bold: true, anchor: "middle" }),
      code(RIGHT, 42, IDS),
      down(RIGHT, 48, yOf(0)),
      ...column.flatMap(([path, value], i) => [
        ...module(RIGHT, yOf(i), BROAD, path, value),
        down(RIGHT, yOf(i) + HEIGHT, yOf(i + 1) - (i === column.length - 1 ? 12 : 0)),
        ...(i === column.length - 1
          ? []
          : [code(RIGHT + 8, yOf(i) + HEIGHT + 20, STREAM, { anchor: "start", fill: "faint" })]),
      ]),
      code(RIGHT, bottom + 4, LOGITS),
      box(14, bottom + 22, 22, 16, { fill: "frozen", stroke: "line", dashed: true }),
      text(42, bottom + 35, "frozen"),
      box(104, bottom + 22, 22, 16, { fill: "trained", stroke: "two", thick: 2 }),
      text(132, bottom + 35, "trained, as in the paper"),
      text(14, bottom + 60, "In the paper, a gated block precedes its frozen layer.", { fill: "faint" }),
    ],
  });
}
