// The type of case.json (golden/FORMAT.md §3).
import type { Shape } from "../../tensor/tensor.ts";
import type { Dtype } from "../dtypes.ts";
import type { JsonObject } from "../json.ts";
import type { Recipe } from "./recipe.ts";

export const SCHEMA = "flamboyance-case/1";
export const GENERATOR = "splitmix64-dyadic8/1";

export interface CaseInput {
  readonly dtype: Dtype;
  readonly shape: Shape;
  /** Letters, "b l d"; null for the cotangent, which has the axes of the output. */
  readonly axes: string | null;
}

/** The error of the source package, for a case without expected values. */
export interface Raises {
  readonly phase: "construct" | "forward";
  readonly type: string;
  readonly message: string;
}

/** The content of case.json; golden/FORMAT.md describes every field. */
export interface CaseManifest {
  readonly schema: typeof SCHEMA;
  /** "<source>/<case-id>", a valid path. */
  readonly id: string;
  readonly title: string;
  readonly level: string;
  readonly source: {
    readonly package: string;
    readonly version: string;
    readonly class: string;
    readonly torch: string | null;
    readonly vitPytorch: string | null;
    readonly python: string | null;
    readonly languagePackage: string | null;
  };
  readonly profile: string;
  /** The arguments of the constructor, named as in the source package. */
  readonly config: JsonObject;
  /** Argument of the forward call -> input. */
  readonly call: ReadonlyMap<string, string>;
  readonly positional: readonly string[];
  readonly inputs: ReadonlyMap<string, CaseInput>;
  /** State-dict key -> shape, in the order of the state dict, without tied keys. */
  readonly weights: ReadonlyMap<string, Shape>;
  /** State-dict key -> the key whose tensor it shares. */
  readonly ties: ReadonlyMap<string, string>;
  readonly seed: number;
  readonly generator: typeof GENERATOR | null;
  /** By the names of inputs.safetensors. */
  readonly recipes: ReadonlyMap<string, Recipe>;
  readonly outputs: readonly string[];
  readonly taps: readonly string[];
  readonly grads: readonly string[];
  readonly trainable: readonly string[] | null;
  readonly flags: readonly string[];
  readonly rules: readonly string[];
  readonly ship: boolean;
  /** Full size: 256 elements of each output are expected, and `probed` has its shape. */
  readonly full: boolean;
  readonly probed: ReadonlyMap<string, Shape>;
  readonly raises: Raises | null;
  readonly tolerance: CaseTolerance | null;
  /** Members of case.json that FORMAT.md does not have, such as "inputs.x.comment". Nothing reads them. */
  readonly unread: readonly string[];
}

/** The bounds of §6: a case beyond them would accept numbers that are wrong. */
export const MOST_K = 8;
export const MOST_NOISE = 1e-3;

/** The measured noise of a case, from which its tolerances follow. */
export interface CaseTolerance {
  readonly policy: "noise";
  readonly K: number;
  /** By the names of expected.safetensors, or "probes.out". */
  readonly noise: ReadonlyMap<string, number>;
  readonly bfloat16: HalfNoise | null;
  readonly float16: HalfNoise | null;
}

/** The noise in bfloat16 or float16, for the tensors that are judged in it, or the reason why the case is not. */
export type HalfNoise = ReadonlyMap<string, number> | string;

/** The names in expected.safetensors; none if the source throws. */
export function expectedNames({ raises, full, outputs, taps, grads }: CaseManifest): string[] {
  if (raises !== null) return [];
  if (full) return outputs.flatMap((name) => PROBES.map((part) => `probes.${name}.${part}`));
  const prefixed = (prefix: string, list: readonly string[]): string[] =>
    list.map((name) => `${prefix}.${name}`);
  return [...prefixed("outputs", outputs), ...prefixed("taps", taps), ...prefixed("grads", grads)];
}
const PROBES = ["index", "value", "sum", "norm"];

/** The names that need a noise entry: every expected tensor, or the probes of an output together. */
export const judgedNames = (manifest: CaseManifest): string[] =>
  manifest.full && !manifest.raises
    ? manifest.outputs.map((name) => `probes.${name}`)
    : expectedNames(manifest);
