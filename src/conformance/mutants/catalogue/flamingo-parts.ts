// Parts of a recorded Flamingo: gates by their parameters' names, the resampler's keys by its taps.
import type { Program } from "../../../tensor/program/program.ts";
import { type Found, join, userOf } from "../pattern-matchers.ts";

export interface Gate {
  /** The block's path, and the name of one of its two gates. */
  readonly path: string;
  readonly name: "attn_gate" | "ff_gate";
  readonly leaf: number;
  readonly tanh: number;
  /** gate ⊙ branch, and the sum with the residual. */
  readonly product: Found<"mul">;
  readonly sum: Found<"add">;
}

export function gates(program: Program): Gate[] {
  return Object.entries(program.leaves).flatMap(([leafName, leaf]) => {
    const [, path, name] = /^(?:(.*)\.)?(attn_gate|ff_gate)$/.exec(leafName) ?? [];
    if (name !== "attn_gate" && name !== "ff_gate") return [];
    const tanh = userOf(program, "tanh", leaf);
    const wide = tanh && userOf(program, "expand", tanh.id);
    const product = wide && userOf(program, "mul", wide.id);
    const sum = product && userOf(program, "add", product.id);
    if (!tanh || !product || !sum) return [];
    return [{ path: path ?? "", name, leaf, tanh: tanh.id, product, sum }];
  });
}

/** The node that joins image and latents in a resampler's attention. */
export function concatOf(program: Program, path: string): Found<"concat"> | null {
  const latents = program.taps[join(path, "norm_latents")];
  return latents === undefined ? null : userOf(program, "concat", latents);
}
