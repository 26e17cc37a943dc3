// Runs a small gated cross-attention block on rows of the mask and reads its intermediate results, stage by stage, from the recorded
// program. The rows are those that the page shows, so that the numbers are those of the same decoding step.
import { GatedCrossAttentionBlock } from "../../../blocks/gated-cross-attention-block.ts";
import type { Convention } from "../../../masks/conventions/conventions.ts";
import { imagesIn, rangeOf } from "../../../masks/counting/image-ranges.ts";
import { type Visibility, visibilityOfRows } from "../../../masks/media-mask.ts";
import type { MaskRow } from "../../../masks/rows.ts";
import { initialize } from "../../../nn/state-dict.ts";
import { evaluate } from "../../../tensor/program/evaluate.ts";
import type { Program } from "../../../tensor/program/program.ts";
import { record } from "../../../tensor/program/record.ts";
import { generator } from "../../../tensor/random.ts";
import { Tensor, view } from "../../../tensor/tensor.ts";

/** The largest number of keys, latents times images, that the page computes or shows. */
export const MOST_KEYS = 1024;
export const SIZES = { dim: 6, heads: 2, dimHead: 4, ffMult: 2 } as const;
/** Gates: attention and feed-forward are scaled by their tanh. */
const GATES = { attn_gate: 1, ff_gate: -0.75 } as const;
const SEED = 7;

export type StageName = "scores" | "masked" | "softmax" | "weights" | "gated" | "residual" | "output";

export interface Stage {
  readonly name: StageName;
  /** The axes of the values: b h l (m r) over keys, b l d over features. */
  readonly over: "keys" | "features";
  readonly shape: readonly number[];
  readonly values: ArrayLike<number>;
}

/** A position of a prompt. */
export interface RowPlace {
  readonly prompt: number;
  readonly position: number;
}

export interface Stages {
  /** The place of the first row of the values. */
  readonly first: RowPlace;
  readonly stages: readonly Stage[];
  readonly heads: number;
  /** Keys of an image. */
  readonly latents: number;
  /** The input of the layer, b l d; null if it is not known. */
  readonly input: Stage | null;
  /** A description of the source of the numbers. */
  readonly origin: string;
}

export interface Media {
  readonly images: number;
  /** Keys of an image: its latents, or, where images have tiles, one for each stored tile. */
  readonly latents: number;
  /** The tiles of each image of the prompt; the other stored ones only pad. */
  readonly tiles?: readonly number[] | undefined;
}

/** Numbers that depend on their name alone, so that the same token and the same image have the same numbers in every text. */
function normal(count: number, name: string): number[] {
  const draw = generator(SEED, name);
  return Array.from({ length: count }, () => draw.normal());
}

function tensorOf(values: readonly number[], shape: readonly number[]): Tensor {
  return new Tensor([...shape], view(Float64Array.from(values), [...shape]));
}

/** The node of each stage, found from the taps and by walking back from the output. */
function nodesOf(program: Program): Record<StageName, number> {
  const inputs = (id: number): readonly number[] => program.nodes[id]?.inputs ?? [];
  const inputOf = (id: number, i: number): number => inputs(id)[i] ?? -1;
  const output = program.outputs.out ?? -1;
  const residual = inputOf(output, 1); // out = fed + y
  const weights = program.taps["attn.attn"] ?? -1;
  const kept = inputOf(weights, 0);
  const softmax = program.nodes[kept]?.op === "where" ? inputOf(kept, 0) : kept; // `where` applies the post-softmax mask
  return {
    scores: program.taps["attn.scores"] ?? -1,
    masked: program.taps["attn.scores.masked"] ?? -1,
    softmax,
    weights,
    gated: inputOf(residual, 0), // y = gated + x
    residual,
    output,
  };
}

/** The masks of these rows, with the axes b l m and b l, where b is 1. Each tile is an image of the block. */
function visibilityOf(
  rows: readonly MaskRow[],
  { images, latents, tiles }: Media,
  convention: Convention,
): Visibility {
  const parts = tiles ? latents : 1;
  const tilesOf = (image: number) =>
    rangeOf((image - 1) * parts + 1, (image - 1) * parts + (tiles?.[image - 1] ?? parts), images * parts);
  const tiled = rows.map(({ number, allowed }) => ({ number, allowed: imagesIn(allowed).flatMap(tilesOf) }));
  return visibilityOfRows(tiled, [1, rows.length], images * parts, convention);
}

/** Runs the block on neighbouring rows, the first of which is at `first`, with fixed random text, images and weights. null without a
 * row or an image. */
export function blockStages(
  rows: readonly MaskRow[],
  media: Media,
  convention: Convention,
  first: RowPlace = { prompt: 0, position: 0 },
): Stages | null {
  const { images, latents, tiles } = media;
  const parts = tiles ? latents : 1;
  const l = rows.length;
  if (l * images === 0) return null;
  const model = initialize(new GatedCrossAttentionBlock({ ...SIZES, convention }), SEED);
  for (const [name, value] of Object.entries(GATES))
    model[name as keyof typeof GATES].assign(view(Float64Array.of(value), [1]));
  const { prompt, position } = first;
  const token = (_: unknown, i: number) => normal(SIZES.dim, `token ${prompt} ${position + i}`);
  const image = (_: unknown, m: number) => normal(latents * SIZES.dim, `image ${prompt} ${m}`);
  const x = tensorOf(rows.flatMap(token), [1, l, SIZES.dim]) as Tensor<"b l d">;
  const values = Array.from({ length: images }, image).flat();
  const features = tensorOf(values, [1, images * parts, latents / parts, SIZES.dim]) as Tensor<"b m r e">;
  const visibility = visibilityOf(rows, media, convention);
  const inputs = { x, media: features };
  const program = record(() => model.forward(x, features, { visibility }), { model, inputs });

  const ids = nodesOf(program);
  const { outputs } = evaluate({ ...program, outputs: ids });
  const stages = (Object.keys(ids) as StageName[]).map((name): Stage => {
    const value = outputs[name] as Tensor;
    return {
      name,
      over: value.shape.length === 4 ? "keys" : "features",
      shape: value.shape,
      values: value.flat(),
    };
  });
  const input: Stage = { name: "residual", over: "features", shape: x.shape, values: x.flat() };
  const origin = "a small block with random weights";
  return { first, stages, heads: SIZES.heads, latents, input, origin };
}
