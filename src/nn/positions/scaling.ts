// Rotary frequencies of models whose context was lengthened: linear scaling divides every frequency (position interpolation: Chen et al.,
// arXiv 2306.15595, §2.3), Llama 3.1 the low ones only. Names are those of rope_scaling in transformers 4.57.6 (modeling_rope_utils.py).
import { RuleError } from "../../tensor/errors.ts";
import { type Check, checked, object, oneOf, positive } from "../options.ts";
import { type AnglePrecision, rounding } from "./angles.ts";

/** The scaling of rotary frequencies. */
export type RopeScaling =
  | { readonly ropeType: "default" }
  | { readonly ropeType: "linear"; readonly factor: number }
  | {
      readonly ropeType: "llama3";
      /** Low frequencies are divided by it. */
      readonly factor: number;
      /** A frequency is low if it has fewer periods than this in the original context. */
      readonly lowFreqFactor: number;
      /** A frequency is high if it has more periods than this in the original context; it stays as it is. */
      readonly highFreqFactor: number;
      /** The original context, in tokens. */
      readonly originalMaxPositionEmbeddings: number;
    };

const MEMBERS: { readonly [T in RopeScaling["ropeType"]]: readonly string[] } = {
  default: [],
  linear: ["factor"],
  llama3: ["factor", "lowFreqFactor", "highFreqFactor", "originalMaxPositionEmbeddings"],
};

/** The check of an option that takes a scaling; `checkScaling` checks its members. */
export const ropeScaling: Check = object('an object such as { ropeType: "linear", factor: 2 }');

/** Throws a RuleError, which names the member, for an unknown type of scaling and for members that the type has not or lacks. */
export function checkScaling(caller: string, scaling: RopeScaling | null | undefined): void {
  if (scaling === null || scaling === undefined) return;
  const name = `${caller}'s ropeScaling`;
  const types = { ropeType: oneOf(Object.keys(MEMBERS)) };
  const given: Readonly<Record<string, unknown>> = scaling;
  checked<Readonly<Record<string, unknown>>>(name, { ropeType: given.ropeType }, types);
  const members = MEMBERS[scaling.ropeType].map((member) => [member, positive] as const);
  checked(name, given, { ...types, ...Object.fromEntries(members) }); // [rotary.scaling]
  if (scaling.ropeType === "llama3" && scaling.highFreqFactor <= scaling.lowFreqFactor)
    throw new RuleError(
      `${name}: highFreqFactor is ${scaling.highFreqFactor}; it must be above lowFreqFactor, which is ${scaling.lowFreqFactor}`,
      "rotary.scaling",
    );
}

/** The frequencies θ with their scaling, in the arithmetic of the angles. */
export function scaled(
  theta: readonly number[],
  scaling: RopeScaling | null,
  precision: AnglePrecision,
): readonly number[] {
  if (scaling === null || scaling.ropeType === "default") return theta;
  const round = rounding(precision);
  const slower = (x: number): number => round(x / round(scaling.factor));
  if (scaling.ropeType === "linear") return theta.map(slower); // [rotary.scaling]
  const { lowFreqFactor: low, highFreqFactor: high, originalMaxPositionEmbeddings: context } = scaling;
  return theta.map((x) => {
    const wavelength = round(round(1 / x) * round(2 * Math.PI)); // torch divides a number by a tensor in two steps
    if (wavelength > context / low) return slower(x); // [rotary.llama3]
    if (wavelength < context / high) return x; // [rotary.llama3]
    const periods = round(round(1 / wavelength) * round(context));
    const share = round(round(periods - round(low)) / round(high - low)); // [rotary.llama3]
    return round(slower(round(round(1 - share) * x)) + round(share * x)); // [rotary.llama3]
  });
}
