// The probe's test plan: a few distinguishing prompts, repeated in one batch, each copy with a single input changed.
import { fillDyadic } from "../../io/golden/generator.ts";
import type { Stored } from "../../io/safetensors/read.ts";
import { TOKEN } from "../../masks/counting/counted-text.ts";
import { Bool, Int, Tensor, view } from "../../tensor/tensor.ts";

/** Images and positions of every prompt. */
export const IMAGES = 3;
export const LENGTH = 8;

/** t text, I an image's token, e an end token. */
export const kindsOf = (text: string): number[] =>
  [...text].map((letter) => (letter === "I" ? TOKEN.image : letter === "e" ? TOKEN.end : TOKEN.text));

/** One row of a batch: a prompt with one change. */
export interface PlannedRow {
  /** Index of its prompt. */
  readonly prompt: number;
  /** One of BASE, AGAIN, TEXT, SPREAD and changedImage(1) to changedImage(IMAGES). */
  readonly variant: number;
  /** The row holds images that occur in no other call. */
  readonly otherImages: boolean;
}

/** A batch of prompts that an implementation is called with. */
export interface ProbeCall {
  /** The name in case.json, and that of the call's folder unless `folder` is given. */
  readonly name: string;
  readonly folder?: string;
  readonly prompts: readonly (readonly number[])[];
  readonly rows: readonly PlannedRow[];
  /** Positions that each pass of a cached decoding takes; null: all at once. */
  readonly passes: readonly number[] | null;
  readonly locations: boolean;
}

/** The name of a call's folder. */
export const folderOf = ({ name, folder = name }: ProbeCall): string => folder;

/** The change in each copy of a prompt: nothing, nothing again, the text, the spread of each image's latents, or one image. */
export const BASE = 0;
export const AGAIN = 1;
export const TEXT = 2;
export const SPREAD = 3;
const FIRST_IMAGE = 4;
export const VARIANTS = FIRST_IMAGE + IMAGES;
export const changedImage = (image: number): number => FIRST_IMAGE + image - 1;

/** The row of the batch that holds a prompt with one change, in calls that hold every change. */
export const rowOf = ({ prompts }: Pick<ProbeCall, "prompts">, variant: number, prompt: number): number =>
  variant * prompts.length + prompt;

/** A call with every change of every prompt. */
function everyChange(
  name: string,
  texts: readonly string[],
  { passes = null, locations = true }: Partial<Pick<ProbeCall, "passes" | "locations">> = {},
): ProbeCall {
  const rows = Array.from({ length: VARIANTS }, (_, variant) =>
    texts.map((_, prompt) => ({ prompt, variant, otherImages: false })),
  );
  return { name, prompts: texts.map(kindsOf), rows: rows.flat(), passes, locations };
}

/** As many image tokens as images. */
export const STRICT = ["tIttIItt", "tIeItetI"];
/** Fewer image tokens than images, and none at all: the images left over are padding. */
const PADDED = ["ttItttIt", "tetItett", "tttttttt"];
/** More image tokens than images. */
const MISSING = ["ItItIItI"];

/** Prompts that distinguish the known conventions, and each of them from the known mistakes. [probe.distinguishing] */
export const calls = {
  full: everyChange("full", [...STRICT, ...MISSING, ...PADDED]),
  /** As full, for implementations that refuse prompts with more image tokens than images. */
  padded: everyChange("padded", [...STRICT, ...PADDED]),
  /** As full, for implementations that refuse prompts with more or fewer image tokens than images. */
  strict: everyChange("strict", STRICT),
  cached: everyChange("cached", ["tItIttIt", "ttIttttt"], { passes: [4, 2, 1, 1] }),
  "without-locations": everyChange("without-locations", ["tIttIItt"], { locations: false }),
} satisfies Record<string, ProbeCall>;

/** The sizes of the tensors of a call. */
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

/** The text of a prompt, which names its random numbers: the same prompt has the same ones in every call. */
export const lettersOf = (kinds: readonly number[]): string =>
  kinds.map((kind) => (kind === TOKEN.image ? "I" : kind === TOKEN.end ? "e" : "t")).join("");

/** The images of a row, one after the other: m r e */
function mediaOf({ variant, otherImages }: PlannedRow, prompt: string, { latents, dimMedia }: ProbeShape) {
  const size = latents * dimMedia;
  const media = new Float32Array(IMAGES * size);
  for (let image = 1; image <= IMAGES; image++) {
    const changed = variant === changedImage(image);
    const name = otherImages ? `unrelated image ${variant}` : changed ? "other image" : "image";
    const values = random(`${name} ${prompt} ${image}`, size, -5); // [probe.one-thing]
    if (variant === SPREAD) spread(values, random(`spread ${prompt} ${image}`, size, -5), dimMedia);
    media.set(values, (image - 1) * size);
  }
  return media;
}

/** The bytes of x and media in the largest call. */
export const largestInputs = ({ dim, dimMedia, latents }: ProbeShape): number =>
  4 * calls.full.rows.length * (LENGTH * dim + IMAGES * latents * dimMedia);

const floats = (shape: number[], values: Float32Array): Tensor => new Tensor(shape, view(values, shape));

/** inputs.x: the features of every row's text. b l d */
export function textsOf({ prompts, rows }: ProbeCall, { dim }: ProbeShape): Tensor {
  const x = new Float32Array(rows.length * LENGTH * dim);
  rows.forEach(({ prompt, variant }, i) => {
    const name = `${variant === TEXT ? "other text" : "text"} ${lettersOf(prompts[prompt] ?? [])}`; // [probe.one-thing]
    x.set(random(name, LENGTH * dim, -6), i * LENGTH * dim);
  });
  return floats([rows.length, LENGTH, dim], x);
}

/** The tensors of inputs.safetensors. [probe.inputs] */
export function inputsOf(call: ProbeCall, shape: ProbeShape): Map<string, Stored> {
  const { prompts, rows, locations } = call;
  const { dimMedia, latents } = shape;
  const batch = rows.length;
  const media = new Float32Array(batch * IMAGES * latents * dimMedia);
  rows.forEach((row, i) => {
    media.set(mediaOf(row, lettersOf(prompts[row.prompt] ?? []), shape), i * IMAGES * latents * dimMedia);
  });
  const kinds = rows.flatMap(({ prompt }) => prompts[prompt] ?? []);
  const ids = kinds.map((kind, i) =>
    kind === TOKEN.image ? IDS.image : kind === TOKEN.end ? IDS.end : IDS.text + (i % LENGTH),
  );
  const inputs = new Map<string, Stored>([
    ["inputs.x", textsOf(call, shape)],
    ["inputs.media", floats([batch, IMAGES, latents, dimMedia], media)],
    ["inputs.text", new Int([batch, LENGTH], Int32Array.from(ids))],
  ]);
  const located = Uint8Array.from(kinds, (kind) => Number(kind === TOKEN.image));
  if (locations) inputs.set("inputs.media_locations", new Bool([batch, LENGTH], located)); // [probe.inputs]
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
