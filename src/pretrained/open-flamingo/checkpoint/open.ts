// The tensors of a checkpoint: a file of torch.save or safetensors, with a bare state dict or one of training.
import { type ByteSource, openFile } from "#host";
import { bitsOf, isFloat } from "../../../io/dtypes.ts";
import { sourceOf as contentOf, type FileContent } from "../../../io/file-content.ts";
import { PickledTensors } from "../../../io/pickle/read.ts";
import { NotRead, StoredArray } from "../../../io/pickle/values.ts";
import { openSafetensors } from "../../../io/safetensors/read.ts";
import { isUnreadable, TensorFile } from "../../../io/tensor-file.ts";
import { openTorch } from "../../../io/torch/read.ts";
import { equalValues } from "../../../nn/loading/equal.ts";
import type { Weights } from "../../../nn/loading/report.ts";
import { type Shape, sizeOf, Tensor } from "../../../tensor/tensor.ts";

/** The entry of a checkpoint of training that holds the state dict (open_flamingo/train/train_utils.py). */
const MODEL = "model_state_dict";

/** Weights by name, whose shapes and dtypes are known before any value is read. */
export class OpenCheckpoint {
  readonly file: string;
  readonly keys: readonly string[];
  /** Whether it is a checkpoint of training, and not a bare state dict. */
  readonly isTraining: boolean;
  /** Entries that are no tensors of the state dict, such as "epoch". */
  readonly besides: readonly string[];
  readonly #weights: Weights;
  /** For each name, the number of the values that it shares with other names. */
  readonly #shared: ReadonlyMap<string, number>;
  readonly #close: () => void;

  constructor(given: string | FileContent | Weights, name: string) {
    const opened = isWeights(given) ? null : openTensors(given, name);
    const { weights, isTraining, besides } = stateDictIn(opened ?? (given as Weights));
    this.#weights = weights;
    this.file = weights instanceof TensorFile ? weights.name : name;
    this.isTraining = isTraining;
    this.besides = besides;
    this.keys = typeof weights.keys === "function" ? [...weights.keys()] : weights.keys;
    const groups = weights instanceof PickledTensors ? weights.ties : [];
    this.#shared = new Map(groups.flatMap((names, i) => names.map((key) => [key, i])));
    this.#close = () => opened?.close();
  }

  /** The shape of a tensor of floats; for another one a problem that completes "tensor NAME …". */
  shapeOf(key: string): { readonly shape: Shape } | { readonly problem: string } {
    const weights = this.#weights;
    if (weights instanceof TensorFile) {
      const entry = weights.entries.get(key);
      if (entry === undefined || isUnreadable(entry)) return { problem: entry?.problem ?? "is not there" };
      return isFloat(entry.dtype) ? { shape: entry.shape } : { problem: `is ${entry.dtype}, not floats` }; // [checkpoints.lazy]
    }
    const weight = weights.get(key);
    return weight instanceof Tensor ? { shape: weight.shape } : { problem: "is not a tensor of floats" };
  }

  /** Bytes of all tensors in the file; null for a Map. */
  get bytes(): number | null {
    const weights = this.#weights;
    if (!(weights instanceof TensorFile)) return null;
    const sizes = [...weights.entries.values()].map((entry) =>
      isUnreadable(entry) ? 0 : Math.ceil((bitsOf(entry.dtype) * sizeOf(entry.shape)) / 8),
    );
    return sizes.reduce((sum, size) => sum + size, 0);
  }

  /** A tensor of floats. */
  get(key: string): Tensor {
    const weight = this.#weights.get(key);
    if (weight instanceof Tensor) return weight;
    throw new TypeError(`${key} is not a tensor of floats`);
  }

  /** Whether two tensors of one shape have the same values, which are read unless the file says that they are shared. */
  same(a: string, b: string): boolean {
    const shared = this.#shared.get(a);
    return (shared !== undefined && shared === this.#shared.get(b)) || equalValues(this.get(a), this.get(b));
  }

  close(): void {
    this.#close();
  }
}

function isWeights(given: string | FileContent | Weights): given is Weights {
  return given instanceof Map || (typeof given === "object" && "get" in given && "keys" in given);
}

function openTensors(given: string | FileContent, name: string): TensorFile & { close(): void } {
  const source: ByteSource =
    typeof given === "string" ? openFile(given) : contentOf(given, "loadFlamingoCheckpoint", "a path");
  const [p, k] = source.read(0, Math.min(2, source.size));
  const isZip = p === 0x50 && k === 0x4b;
  const isPickle = p === 0x80;
  return isZip || isPickle ? openTorch(source, name) : openSafetensors(source, name);
}

interface Parts {
  readonly weights: Weights;
  readonly isTraining: boolean;
  readonly besides: readonly string[];
}

/** The state dict of a file, and what the file has beside it. */
function stateDictIn(weights: Weights): Parts {
  if (!(weights instanceof PickledTensors) || !(weights.root instanceof Map))
    return { weights, isTraining: false, besides: [] };
  const { root } = weights;
  const isTraining = root.has(MODEL);
  const others = [...root].filter(([key, value]) => (isTraining ? key !== MODEL : !holdsTensors(value)));
  const besides = others.map(([key]) => String(key));
  return { weights: isTraining ? weights.under(MODEL) : weights, isTraining, besides }; // [checkpoints.training]
}

const holdsTensors = (value: unknown): boolean =>
  value instanceof StoredArray || value instanceof NotRead || value instanceof Map || Array.isArray(value);
