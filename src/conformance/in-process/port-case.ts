// A golden case as a port receives it: plain data, copied, so that nothing that the port does changes what it is compared with.
import type { GoldenCase } from "../../io/golden/cases.ts";
import type { JsonObject } from "../../io/json.ts";
import type { Stored } from "../../io/safetensors/read.ts";
import { Bool, Int } from "../../tensor/tensor.ts";

/** A tensor of a case, in row-major order: floats as float64, which holds them exactly, integers as int32, booleans as 0 and 1. */
export interface CaseTensor {
  readonly dtype: "float" | "int" | "bool";
  readonly shape: readonly number[];
  readonly data: Float64Array | Int32Array | Uint8Array;
}

/** What a port computes: one call of a class of the source package. The fields are those of case.json (golden/FORMAT.md §3). */
export interface PortCase {
  /** "flamingo-pytorch/swiglu--basic" */
  readonly id: string;
  readonly title: string;
  /** The package and the class whose results are expected. */
  readonly package: string;
  readonly class: string;
  readonly level: string;
  readonly profile: string;
  /** The arguments of the constructor, named as in the source package. */
  readonly config: JsonObject;
  /** By the arguments of the forward call: the name of an input. */
  readonly call: Readonly<Record<string, string>>;
  readonly inputs: Readonly<Record<string, CaseTensor>>;
  /** By the keys of the state dict. */
  readonly weights: Readonly<Record<string, CaseTensor>>;
  /** By keys of the state dict that share the tensor of another key: that key. */
  readonly ties: Readonly<Record<string, string>>;
  /** The names of what may be returned; "outputs." is required, taps and gradients are not. */
  readonly outputs: readonly string[];
  readonly taps: readonly string[];
  readonly grads: readonly string[];
}

function copyOf(tensor: Stored): CaseTensor {
  const shape = [...tensor.shape];
  if (tensor instanceof Int) return { dtype: "int", shape, data: Int32Array.from(tensor.flat()) };
  if (tensor instanceof Bool) return { dtype: "bool", shape, data: Uint8Array.from(tensor.flat()) };
  return { dtype: "float", shape, data: Float64Array.from(tensor.flat()) };
}

const copies = (tensors: ReadonlyMap<string, Stored>): Record<string, CaseTensor> =>
  Object.fromEntries([...tensors].map(([name, tensor]) => [name, copyOf(tensor)]));

/** The case without its expected values. */
export function portCase({ manifest, inputs, weights }: GoldenCase): PortCase {
  const { id, title, level, profile, source, config, call, ties, outputs, taps, grads } = manifest;
  return {
    id,
    title,
    package: source.package,
    class: source.class,
    level,
    profile,
    config: structuredClone(config),
    call: Object.fromEntries(call),
    inputs: copies(inputs),
    weights: copies(weights),
    ties: Object.fromEntries(ties),
    outputs: [...outputs],
    taps: [...taps],
    grads: [...grads],
  };
}
