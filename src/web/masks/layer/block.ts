// Runs a small gated cross-attention block in the page and reads its intermediate results, stage by stage, from the recorded program.
import { GatedCrossAttentionBlock } from "../../../blocks/gated-cross-attention-block.ts";
import type { Convention } from "../../../masks/conventions/conventions.ts";
import type { Matrix } from "../../../masks/grid.ts";
import { initialize } from "../../../nn/state-dict.ts";
import { evaluate } from "../../../tensor/program/evaluate.ts";
import type { Program } from "../../../tensor/program/program.ts";
import { record } from "../../../tensor/program/record.ts";
import { generator } from "../../../tensor/random.ts";
import { Bool, flat, Tensor, view } from "../../../tensor/tensor.ts";

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

export interface Stages {
  readonly stages: readonly Stage[];
  readonly heads: number;
  /** Keys of an image. */
  readonly latents: number;
  /** The input of the layer, b l d; null if it is not known. */
  readonly input: Stage | null;
  /** A description of the source of the numbers. */
  readonly origin: string;
}

const normal = (shape: readonly number[], name: string): Tensor => {
  const draw = generator(SEED, name);
  const size = shape.reduce((a, n) => a * n, 1);
  return new Tensor(
    [...shape],
    view(
      Float64Array.from({ length: size }, () => draw.normal()),
      [...shape],
    ),
  );
};

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

/** Runs the block on these prompts, with fixed random text, images and weights. null without a token or an image. */
export function blockStages(
  locations: Matrix,
  images: number,
  latents: number,
  convention: Convention,
): Stages | null {
  const [b = 0, l = 0] = locations.shape;
  if (b * l * images === 0) return null;
  const model = initialize(new GatedCrossAttentionBlock({ ...SIZES, convention }), SEED);
  for (const [name, value] of Object.entries(GATES))
    model[name as keyof typeof GATES].assign(view(Float64Array.of(value), [1]));
  const x = normal([b, l, SIZES.dim], "x") as Tensor<"b l d">;
  const media = normal([b, images, latents, SIZES.dim], "media") as Tensor<"b m r e">;
  const mediaLocations = new Bool<"b l">([b, l], Uint8Array.from(locations.data));
  const program = record(() => model.forward(x, media, { mediaLocations }), { model, inputs: { x, media } });

  const ids = nodesOf(program);
  const { outputs } = evaluate({ ...program, outputs: ids });
  const stages = (Object.keys(ids) as StageName[]).map((name): Stage => {
    const value = outputs[name] as Tensor;
    return {
      name,
      over: value.shape.length === 4 ? "keys" : "features",
      shape: value.shape,
      values: flat(value.data),
    };
  });
  const input: Stage = { name: "residual", over: "features", shape: x.shape, values: flat(x.data) };
  return { stages, heads: SIZES.heads, latents, input, origin: "a small block with random weights" };
}
