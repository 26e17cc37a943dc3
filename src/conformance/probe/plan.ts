// The probe's test plan: a few distinguishing prompts, repeated in one batch, each copy with a single input changed.
import { fillDyadic } from "../../io/golden/generator.ts";
import type { Stored } from "../../io/safetensors/read.ts";
import { TOKEN } from "../../masks/counting/counted-text.ts";
import { Bool, Int, Tensor, view } from "../../tensor/tensor.ts";

/** Images and positions of every prompt. */
export const IMAGES = 3;
export const LENGTH = 8;

/** t text, I an image's token, e an end token. */
const kindsOf = (text: string): number[] =>
  [...text].map((letter) => (letter === "I" ? TOKEN.image : letter === "e" ? TOKEN.end : TOKEN.text));

export interface ProbeCall {
  readonly name: "full" | "strict" | "cached" | "without-locations";
  readonly prompts: readonly (readonly number[])[];
  /** Positions that each pass of a cached decoding takes; null: all at once. */
  readonly passes: readonly number[] | null;
}

const STRICT = ["tIttIItt", "tIeItetI"].map(kindsOf);
/** More and fewer image tokens than images, and none at all. */
const LOOSE = ["ItItIItI", "ttItttIt", "tetItett", "tttttttt"].map(kindsOf);

/** Prompts that distinguish the known conventions, and each of them from the known mistakes. [probe.distinguishing] */
export const calls = {
  full: { name: "full", prompts: [...STRICT, ...LOOSE], passes: null },
  /** As full, for implementations that refuse prompts with more or fewer image tokens than images. */
  strict: { name: "strict", prompts: STRICT, passes: null },
  cached: { name: "cached", prompts: ["tItIttIt", "ttIttttt"].map(kindsOf), passes: [4, 2, 1, 1] },
  "without-locations": { name: "without-locations", prompts: ["tIttIItt"].map(kindsOf), passes: null },
} as const satisfies Record<string, ProbeCall>;

/** The change in each copy of a prompt: nothing, nothing again, the text, the spread of each image's latents, or one image. */
export const BASE = 0;
export const AGAIN = 1;
export const TEXT = 2;
export const SPREAD = 3;
const FIRST_IMAGE = 4;
export const VARIANTS = FIRST_IMAGE + IMAGES;
export const changedImage = (image: number): number => FIRST_IMAGE + image - 1;

/** The row of the batch that holds a prompt with one change. */
export const rowOf = ({ prompts }: ProbeCall, variant: number, prompt: number): number =>
  variant * prompts.length + prompt;

export interface ProbeShape {
  readonly dim: number;
  readonly dimMedia: number;
  /** Latents of each image; an even number, because they are spread in pairs. */
  readonly latents: number;
}

const SEED = 1;
const random = (name: string, size: number, exponent: number): Float32Array => {
  const out = new Float32Array(size);
  fillDyadic(out, SEED, name, { mean: 0, exponent, bits: 8 });
  return out;
};

/** Token ids, for implementations that find the images in the text. */
export const IDS = { image: 3, end: 2, text: 10 } as const;

/** The tensors of inputs.safetensors. [probe.inputs] */
export function inputsOf(call: ProbeCall, { dim, dimMedia, latents }: ProbeShape): Map<string, Stored> {
  const { prompts, name } = call;
  const batch = VARIANTS * prompts.length;
  const x = new Float32Array(batch * LENGTH * dim);
  const media = new Float32Array(batch * IMAGES * latents * dimMedia);
  const [kinds, ids]: number[][] = [[], []];
  const size = latents * dimMedia;
  for (let variant = 0; variant < VARIANTS; variant++) {
    prompts.forEach((prompt, p) => {
      const row = rowOf(call, variant, p);
      const text = random(variant === TEXT ? `other text ${p}` : `text ${p}`, LENGTH * dim, -6); // [probe.one-thing]
      x.set(text, row * LENGTH * dim);
      for (let image = 1; image <= IMAGES; image++) {
        const changed = variant === changedImage(image);
        const values = random(`${changed ? "other image" : "image"} ${p} ${image}`, size, -5); // [probe.one-thing]
        if (variant === SPREAD) spread(values, random(`spread ${p} ${image}`, size, -5), dimMedia);
        media.set(values, (row * IMAGES + image - 1) * size);
      }
      kinds?.push(...prompt);
      ids?.push(
        ...prompt.map((kind, l) =>
          kind === TOKEN.image ? IDS.image : kind === TOKEN.end ? IDS.end : IDS.text + l,
        ),
      );
    });
  }
  const floats = (shape: number[], values: Float32Array) => new Tensor(shape, view(values, shape));
  const inputs = new Map<string, Stored>([
    ["inputs.x", floats([batch, LENGTH, dim], x)],
    ["inputs.media", floats([batch, IMAGES, latents, dimMedia], media)],
    ["inputs.text", new Int([batch, LENGTH], Int32Array.from(ids ?? []))],
  ]);
  const located = Uint8Array.from(kinds ?? [], (kind) => Number(kind === TOKEN.image));
  if (name !== "without-locations") inputs.set("inputs.media_locations", new Bool([batch, LENGTH], located)); // [probe.inputs]
  return inputs;
}

/** Spreads latents apart in pairs; their plain average stays the same, bit for bit. */
function spread(values: Float32Array, by: Float32Array, dimMedia: number): void {
  for (let i = 0; i < values.length; i++) {
    const pair = Math.floor(i / (2 * dimMedia)) * 2 * dimMedia + (i % dimMedia);
    const sign = Math.floor(i / dimMedia) % 2 === 0 ? 1 : -1; // [probe.spread]
    values[i] = (values[i] ?? 0) + sign * (by[pair] ?? 0); // [probe.spread]
  }
}

/** The content of case.json. [probe.inputs] */
export const caseOf = ({ name, passes }: ProbeCall, { dim, dimMedia, latents }: ProbeShape): object => ({
  schema: "flamboyance-probe/1",
  call: name,
  config: {
    dim,
    dim_media: dimMedia,
    num_latents: latents,
    num_images: IMAGES,
    media_token_id: IDS.image,
    end_token_id: IDS.end,
  },
  passes,
});
