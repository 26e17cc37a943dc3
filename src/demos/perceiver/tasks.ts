// The four tasks of Perceiver IO: Jaegle et al., arXiv 2107.14795, §4.1, §4.2, §4.3 and §4.5, as the examples of
// JOBR0/PerceiverIO_Pytorch run them.
import { byteText, SPECIAL_TOKENS } from "../../io/tokenizers/byte-tokens.ts";
import type { Backend } from "../../kernels/backend.ts";
import { releaseKept, replay, run } from "../../kernels/replay.ts";
import type { ClassificationPerceiver } from "../../models/perceiver-io/tasks/classification.ts";
import { blended, type FlowPerceiver, type Place, tilePlaces } from "../../models/perceiver-io/tasks/flow.ts";
import type { LanguagePerceiver } from "../../models/perceiver-io/tasks/language.ts";
import {
  assembled,
  decodePoints,
  encodeVideo,
  type MultiModalPerceiver,
  type Reconstruction,
  range,
} from "../../models/perceiver-io/tasks/multi-modal.ts";
import { Bug } from "../../tensor/errors.ts";
import { rearrange, slice } from "../../tensor/ops/arrange.ts";
import { softmax } from "../../tensor/ops/functions.ts";
import { named } from "../../tensor/pattern.ts";
import { record } from "../../tensor/program/record.ts";
import { bool, flat, int, type Tensor } from "../../tensor/tensor.ts";
import { FoldedDecoder } from "./folded-decoder.ts";

/** Called with the number of steps that are done. */
export type Steps = (done: number, total: number, label: string) => void;

export interface Running {
  readonly backend: Backend;
  readonly onStep: Steps;
}

/** A class and its probability. */
export interface Guess {
  readonly index: number;
  readonly probability: number;
}

/** The most probable classes of a row of scores, the most probable first. */
export function mostProbable(scores: Tensor<"b e">, count = 5): Guess[] {
  const probabilities = [...flat(softmax(scores).data)];
  return probabilities
    .map((probability, index) => ({ index, probability }))
    .sort((a, b) => b.probability - a.probability || a.index - b.index)
    .slice(0, count); // [perceiver.guesses]
}

/** The part of a run in per cent. */
const inPerCent =
  (onStep: Steps, label: string) =>
  (done: number): void =>
    onStep(Math.floor(100 * done), 100, label);

export function classify(
  model: ClassificationPerceiver,
  picture: Tensor<"b c h w">,
  { backend, onStep }: Running,
): Promise<Tensor<"b e">> {
  return run(backend, () => model.forward(picture), {
    model,
    inputs: { picture },
    onProgress: inPerCent(onStep, "per cent"),
  });
}

/** Bytes that were filled in. */
export interface Filled {
  /** One for each masked position. */
  readonly predicted: readonly {
    readonly position: number;
    readonly id: number;
    readonly probability: number;
  }[];
  /** The text with the predicted bytes. */
  readonly text: string;
}

/** The most probable token of each masked position; `ids` are at most as many as the model takes, and are padded. */
export async function fillMasks(
  model: LanguagePerceiver,
  ids: readonly number[],
  length: number,
  { backend, onStep }: Running,
): Promise<Filled> {
  const padding = Array.from({ length: length - ids.length }, () => SPECIAL_TOKENS.pad);
  const tokens = int("b n", [[...ids, ...padding]]);
  const mask = bool("b n", [Array.from({ length }, (_, i) => i < ids.length)]); // [perceiver.mask-fill]
  const onProgress = inPerCent(onStep, "per cent");
  const logits = await run(backend, () => model.forward(tokens, mask), { model, onProgress });
  const predicted = ids.flatMap((id, position) => {
    if (id !== SPECIAL_TOKENS.mask) return [];
    const row = named(
      "b e",
      rearrange("b 1 e -> b e", named("b 1 e", slice(logits, 1, position, position + 1))),
    );
    const [best] = mostProbable(row, 1);
    return best ? [{ position, id: best.index, probability: best.probability }] : [];
  });
  const filled = new Map(predicted.map(({ position, id }) => [position, id]));
  return { predicted, text: byteText(ids.map((id, position) => filled.get(position) ?? id)) };
}

/** The flow of the first picture to the second, tile by tile, and the number of tiles. */
export async function flowBetween(
  model: FlowPerceiver,
  first: Tensor<"b c h w">,
  second: Tensor<"b c h w">,
  { backend, onStep }: Running,
): Promise<{ readonly flow: Tensor<"b c h w">; readonly tiles: number }> {
  const { imgSize: size } = model.options;
  const picture = [first.shape[2] ?? 0, first.shape[3] ?? 0] as const;
  const places = tilePlaces(picture, size);
  const partsAt = ({ y, x }: Place) => {
    const part = (image: Tensor<"b c h w">) =>
      named("b c h w", slice(slice(image, 2, y, y + size[0]), 3, x, x + size[1]));
    return { image1: part(first), image2: part(second) };
  };
  const inputs = partsAt({ y: 0, x: 0 });
  const program = record(() => model.forward(inputs.image1, inputs.image2), {
    model,
    inputs,
    symbolic: true,
  });
  const tiles: (Place & { readonly flow: Tensor<"b c h w"> })[] = [];
  for (const [i, place] of places.entries()) {
    const { outputs } = await replay(program, backend, {
      bind: partsAt(place),
      onProgress: (done) => onStep(i + done, places.length, "tiles"),
    });
    if (!outputs.out) throw new Bug("the model has one result");
    tiles.push({ ...place, flow: named("b c h w", outputs.out) });
  }
  return { flow: blended(tiles, picture, size), tiles: tiles.length }; // [perceiver.flow]
}

/**
 * A video of as many frames as the model takes, encoded once. Sound and label are decoded at once, and pixels in `nChunks` parts by a
 * FoldedDecoder, as they are hundreds of times as many.
 */
export async function reconstruct(
  model: MultiModalPerceiver,
  images: Tensor<"b t c h w">,
  audio: Tensor<"b n 1">,
  nChunks: number,
  { backend, onStep }: Running,
): Promise<Reconstruction> {
  const { perceiver, options } = model;
  const [, t = 0, , h = 0, w = 0] = images.shape;
  const [pixels, patches] = [t * h * w, (audio.shape[1] ?? 0) / options.samplesPerPatch];
  onStep(0, nChunks, "encoding");
  const latents = await run(backend, () => encodeVideo(perceiver, images, audio, options.numClasses), {
    model,
    inputs: { images, audio },
  }); // [perceiver.encoded-once]
  const points = { image: range(0, 0), audio: range(0, patches) };
  const rest = await run(backend, () => decodePoints(perceiver, latents, points), {
    model,
    inputs: { latents },
  });
  onStep(0, nChunks, "chunks");
  const image = await inParts(
    new FoldedDecoder(perceiver, "image"),
    latents,
    { pixels, nChunks },
    { backend, onStep },
  );
  return assembled({ image, audio: [rest.audio], label: [rest.label] }, { t, h });
}

/** The pixels of a video, part by part. */
async function inParts(
  decoder: FoldedDecoder,
  latents: Tensor<"b r c">,
  { pixels, nChunks }: { readonly pixels: number; readonly nChunks: number },
  { backend, onStep }: Running,
): Promise<Tensor[]> {
  const products = await run(backend, () => decoder.products(named("b s c", latents)), {
    inputs: { latents },
    keep: "backend",
  });
  const parts: Tensor[] = [];
  try {
    for (let part = 0; part < nChunks; part++) {
      const points = range((pixels / nChunks) * part, (pixels / nChunks) * (part + 1));
      parts.push(await run(backend, () => decoder.outputs(products, points), { inputs: products })); // [perceiver.folded]
      onStep(part + 1, nChunks, "chunks");
    }
    return parts;
  } finally {
    releaseKept(...Object.values(products));
  }
}
