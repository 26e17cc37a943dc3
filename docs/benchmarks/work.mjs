// The work that targets other than flamboyance and PyTorch do beside the product: attention and the gated block of flamingo-pytorch's
// README. Results are compared with flamboyance's before anything is measured.
import { operand } from "../../dist/bench/rates.js";
import { attention as attend, GatedCrossAttentionBlock } from "../../dist/entries/nn.js";
import { simd } from "../../dist/entries/simd.js";
import { Bool, initialize, run, stateDict, tensor } from "../../dist/index.js";

const sizeOf = (shape) => shape.reduce((product, n) => product * n, 1);
const tensorOf = (shape, seed) => tensor("...", shape, operand(sizeOf(shape), seed));

/** Rounding differs in order only; a mistake in a formula makes differences of the size of the numbers. */
const TOLERANCE = 1e-4;

/** Throws unless two results are equal up to rounding, relative to the largest number. */
function compare(actual, expected, name) {
  if (actual.length !== expected.length)
    throw new Error(`${name} computed ${actual.length} numbers, not ${expected.length}`);
  const largest = expected.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  for (const [i, x] of expected.entries())
    if (!(Math.abs((actual[i] ?? NaN) - x) <= TOLERANCE * largest))
      throw new Error(`${name} computed ${actual[i]} in place of ${x} at position ${i}`);
}

async function ours(f, options) {
  const backend = await simd({ threads: 1 });
  try {
    return (await run(backend, f, options)).flat().slice();
  } finally {
    await backend.close();
  }
}

/** A function that computes attention once, checked. `prepare` is the target's. */
export async function attentionTask(prepare, shape, name) {
  const [h, l, s, d] = shape;
  const [q, k, v] = [tensorOf([h, l, d], 1), tensorOf([h, s, d], 2), tensorOf([h, s, d], 3)];
  const task = await prepare(q.flat(), k.flat(), v.flat(), shape);
  const definition = () => attend({}, q, k, v, { mayAttend: null, emptyRow: "zero" });
  compare(await task(), await ours(definition, { inputs: { q, k, v } }), name);
  return task;
}

/** The sizes of src/bench/examples.ts. */
const SIZES = { length: 512, images: 2, latents: 64, dim: 1024, heads: 8, dimHead: 64 };
/** Distance between two image tokens; the first one is at the beginning. */
const EVERY = 8;
const GATE = 0.5;

/** A function that runs the gated block once, checked. The gates, which are 0 at first, are opened, so that a check sees every part. */
export async function gatedTask(prepare, name) {
  const { length, images, latents, dim, heads, dimHead } = SIZES;
  const model = initialize(new GatedCrossAttentionBlock({ dim, dimHead, heads }), 1);
  for (const gate of [model.attn_gate, model.ff_gate])
    gate.assign(tensor("1", [1], Float32Array.of(GATE)).data);
  const [text, media] = [tensorOf([1, length, dim], 2), tensorOf([1, images, latents, dim], 3)];
  const isImage = (i) => i % EVERY === 0 && i < EVERY * images;
  const mediaLocations = new Bool(
    [1, length],
    Uint8Array.from({ length }, (_, i) => (isImage(i) ? 1 : 0)),
  );
  const imageOf = (token) => Math.min(images - 1, Math.floor(token / EVERY));
  const bias = Float32Array.from({ length: length * images * latents }, (_, i) => {
    const [token, position] = [Math.floor(i / (images * latents)), i % (images * latents)];
    return Math.floor(position / latents) === imageOf(token) ? 0 : -1e30;
  });
  const plain = (x, shape = x.shape) => ({ shape, values: Float32Array.from(x.flat()) });
  const task = await prepare({
    weights: Object.fromEntries([...stateDict(model)].map(([key, parameter]) => [key, plain(parameter)])),
    text: plain(text, [length, dim]),
    media: plain(media, [images * latents, dim]),
    bias: { shape: [length, images * latents], values: bias },
    heads,
    dimHead,
  });
  compare(await task(), await ours(() => model.forward(text, media, { mediaLocations }), { model }), name);
  return task;
}
