// The Perceiver Resampler: in each layer the latents attend to an image's features and to themselves.
import { className, defaultLatents, model, shapesIn } from "./example.mjs";
import { box, figure, line, node, text, WIDTH } from "./svg.mjs";

const PATH = "perceiver_resampler";
const resampler = model[PATH];
const depth = resampler.layers.length;
const { axes, sizeOf } = shapesIn("resampler");

const LATENTS = axes(`${PATH}.layers.0.0`, "b m r d");
const FEATURES = axes(`${PATH}.layers.0.0.norm_media`, "b m s d");
const LEARNED = axes(`${PATH}.latents`, "r d");
const POSITION = axes(`${PATH}.media_pos_emb`, "m 1 d");
const WEIGHTS = axes(`${PATH}.layers.0.0.attn`, "b h m r j");
const KEYS = FEATURES.replace("s", "j");
const FED = axes(`${PATH}.layers.0.1`, "b m r d");
const OUT = axes(PATH, "b m r d");
const [s, r, j] = ["s", "r", "j"].map(sizeOf);
if (j !== s + r) throw new Error("the keys are not the features and the latents");

const [SQUARE, LEFT, KEY, STREAM] = [18, 26, 118, 330];

/** A row of squares for features and of circles for latents, centred at x. */
function tokens(x, y, features, latents) {
  const left = x - ((features + latents) * SQUARE) / 2;
  return Array.from({ length: features + latents }, (_, i) =>
    box(left + i * SQUARE + 1, y, SQUARE - 2, SQUARE - 2, {
      fill: i < features ? "one" : "two",
      stroke: null,
      round: i < features ? 2 : 8,
    }),
  );
}
const code = (x, y, words, rest = {}) => text(x, y, words, { code: true, ...rest });
const down = (x, from, to) =>
  line(
    [
      [x, from],
      [x, to],
    ],
    { arrow: true },
  );
const stream = (from, to) =>
  line(
    [
      [STREAM, from],
      [STREAM, to],
    ],
    { arrow: true, thick: 3 },
  );
const across = (from, to, y) =>
  line(
    [
      [from, y],
      [to, y],
    ],
    { arrow: true },
  );
const module = (x, y, width, value, path) => [
  box(x, y, width, 42, { fill: "trained", stroke: "two", thick: 2 }),
  code(x + width / 2, y + 18, className(value), { bold: true, anchor: "middle" }),
  code(x + width / 2, y + 35, path, { fill: "faint", anchor: "middle" }),
];

const inputs = [
  text(KEY, 24, `${s} features of an image, s`, { bold: true, anchor: "middle" }),
  ...tokens(KEY, 34, s, 0),
  code(KEY, 68, FEATURES, { anchor: "middle" }),
  down(KEY, 74, 88),
  text(KEY, 104, "+ media_pos_emb", { anchor: "middle" }),
  code(KEY, 122, POSITION, { anchor: "middle" }),
  text(STREAM, 24, `${r} latents, r`, { bold: true, anchor: "middle" }),
  ...tokens(STREAM, 34, 0, r),
  code(STREAM, 68, LEARNED, { anchor: "middle" }),
  down(STREAM, 74, 88),
  text(STREAM, 104, "for each image", { anchor: "middle" }),
  code(STREAM, 122, LATENTS, { anchor: "middle" }),
];

const layer = [
  box(12, 146, WIDTH - 24, 340, { dashed: true, round: 8, fill: null }),
  text(KEY + 16, 168, `layers, ${depth} times`, { bold: true }),
  down(KEY, 128, 188),
  stream(128, 367),
  ...tokens(KEY, 190, s, r),
  across(STREAM, KEY + (j * SQUARE) / 2 + 2, 198),
  code(KEY, 224, `${KEYS}  j = s + r`, { anchor: "middle" }),
  down(KEY, 230, 262),
  text(KEY + 8, 250, "keys, values"),
  ...module(LEFT, 264, 2 * (KEY - LEFT), resampler.layers[0][0], "layers.0.0"),
  across(STREAM, LEFT + 2 * (KEY - LEFT) + 2, 284),
  text(270, 262, "queries", { anchor: "middle" }),
  code(270, 278, LATENTS, { anchor: "middle" }),
  code(KEY, 324, `weights ${WEIGHTS}`, { anchor: "middle", fill: "faint" }),
  line(
    [
      [KEY, 330],
      [KEY, 377],
      [STREAM - 10, 377],
    ],
    { arrow: true },
  ),
  code(225, 370, LATENTS, { anchor: "middle" }),
  node(STREAM, 377, "+"),
  stream(387, 456),
  across(STREAM, LEFT + 2 * (KEY - LEFT) + 2, 412),
  ...module(LEFT, 391, 2 * (KEY - LEFT), resampler.layers[0][1], "layers.0.1"),
  line(
    [
      [KEY, 433],
      [KEY, 466],
      [STREAM - 10, 466],
    ],
    { arrow: true },
  ),
  code(225, 459, FED, { anchor: "middle" }),
  node(STREAM, 466, "+"),
];

export const perceiverResampler = () =>
  figure({
    title: `${className(resampler)}: latents attend to an image's features and to themselves`,
    description: `The features ${FEATURES} of each image get an embedding ${POSITION} of the image's place. Learned latents ${LEARNED} are repeated for each image, ${LATENTS}. In each of ${depth} layers, ${className(resampler.layers[0][0])} takes its queries from the latents, and its keys and values from features and latents together, ${KEYS}; the result is added to the latents. ${className(resampler.layers[0][1])} follows, whose result is added as well. ${className(resampler.norm)} ends it: ${OUT}.`,
    height: 596,
    parts: [
      ...inputs,
      ...layer,
      stream(476, 502),
      ...module(STREAM - 70, 504, 140, resampler.norm, "norm"),
      down(STREAM, 546, 562),
      code(STREAM, 580, OUT, { anchor: "middle" }),
      text(14, 530, `Drawn: s = ${s}, r = ${r}`, { fill: "faint" }),
      text(14, 548, `By default r = ${defaultLatents}, for any s`, { fill: "faint" }),
    ],
  });
