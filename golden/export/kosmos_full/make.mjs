// The files of a Kosmos of full size with random weights: 3.6 GB in bfloat16, and 7.2 GB with the same values in float32.
import { existsSync, mkdirSync, renameSync, rmSync, statfsSync } from "node:fs";
import { join } from "node:path";
import { drawn, pool } from "../full_size/weights.mjs";

const { CLIPVisionTransformer, Kosmos, MagnetoDecoder, stateDict, tensor } = await import(
  "../../../dist/index.js"
);
const { saveSafetensors } = await import("../../../dist/entries/io.js");
const { widened } = await import("../../../dist/tensor/source.js");
const { sourceOf } = await import("../../../dist/tensor/tensor.js");
const { KOSMOS_SIZES } = await import("../../../dist/models/kosmos/sizes.js");

/** Fairseq's order of ids, for which the published `padding_idx` of 1 was written, and the two tokens of images. */
const TOKENS = { bos: 0, pad: 1, eos: 2, image: 32_000, imageEnd: 32_001 };
/** Fifty tokens: the beginning, the two of the image, and text. */
const TEXT = Array.from({ length: 47 }, (_, i) => 3 + ((i * 6_151) % 31_990));
export const IDS = [TOKENS.bos, TOKENS.image, TOKENS.imageEnd, ...TEXT];
export const NAMES = {
  float32: "float32.safetensors",
  bfloat16: "bfloat16.safetensors",
  image: "image.safetensors",
};
const GIGABYTES = 10.9;

/** The model without weights: the sizes of the published one, `multiway` or not. */
export const build = ({ multiway = false } = {}) =>
  new Kosmos({
    clip: new CLIPVisionTransformer(KOSMOS_SIZES.clip),
    decoder: new MagnetoDecoder({ ...KOSMOS_SIZES.decoder, multiway }),
    tokens: TOKENS,
    resampler: { numMediaEmbeds: 257 }, // of the package's code
  });

/** Deviation and mean: weights of norms are near 1, biases near 0, and matrices keep the size of what they multiply. */
function distribution(name, shape) {
  if (shape.length === 1) return name.endsWith("weight") ? [0.1, 1] : [0.02, 0];
  if (/latents|embed/.test(name) && !name.includes("patch")) return [0.5, 0];
  return [shape.slice(1).reduce((n, m) => n * m, 1) ** -0.5, 0];
}

const isComputed = (name) => name.endsWith("xpos.scale");

/** Gives a model random weights; what is computed stays as it is. */
export function fill(model, dtype) {
  const values = pool();
  const state = stateDict(model);
  for (const [name, t] of state)
    if (!isComputed(name)) t.assign(drawn(name, values, ...distribution(name, t.shape), dtype));
  return state;
}

/** Writes a state dict in the precision of its weights; what is computed is in float32. */
export function write(path, state) {
  const computed = [...state.keys()].filter(isComputed).map((name) => [name, "F32"]);
  saveSafetensors(path, state, { floats: "stored", dtypes: new Map(computed) });
}

/** Makes the folder unless it is there, completely or not at all. */
export function make(folder) {
  if (existsSync(folder)) return;
  const partial = `${folder}.partial`;
  rmSync(partial, { recursive: true, force: true });
  mkdirSync(partial, { recursive: true });
  const { bavail, bsize } = statfsSync(partial);
  if (bavail * bsize < 1e9 * GIGABYTES)
    throw new Error(
      `${folder}: ${GIGABYTES} GB are needed, and ${Math.round((bavail * bsize) / 1e6)} MB are free`,
    );
  const state = fill(build(), "bfloat16");
  write(join(partial, NAMES.bfloat16), state);
  for (const t of state.values()) {
    const { dtype, read } = sourceOf(t.stored);
    if (dtype === "bfloat16")
      t.assign({ dtype: "float32", read: (from, to) => widened(read(from, to), dtype) });
  }
  write(join(partial, NAMES.float32), state);
  const pixels = pool().subarray(0, 3 * 224 * 224);
  saveSafetensors(
    join(partial, NAMES.image),
    new Map([["pixels", tensor("n c h w", [1, 3, 224, 224], pixels)]]),
  );
  renameSync(partial, folder);
}
