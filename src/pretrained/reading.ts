// The weights of a folder, with a report of progress as they are read.
import type { Pretrained } from "../io/huggingface/pretrained.ts";
import type { Weight } from "../nn/loading/report.ts";
import { isSource, type TensorSource } from "../tensor/source.ts";
import { Tensor } from "../tensor/tensor.ts";
import { storedBytes } from "./memory-plan.ts";

/** A count of tensors, and of their bytes in the files. */
export interface Amount {
  readonly tensors: number;
  readonly bytes: number;
}

/** Progress of reading: called when a tensor is read for the first time, with what has been read so far, that tensor included. */
export interface ReadingProgress {
  readonly tensor: string;
  readonly file: string;
  readonly read: Amount;
  readonly total: Amount;
  /** The same for the tensors of `file`. */
  readonly readOfFile: Amount;
  readonly totalOfFile: Amount;
}

const NONE: Amount = { tensors: 0, bytes: 0 };
const plus = ({ tensors, bytes }: Amount, more: number): Amount => ({
  tensors: tensors + 1,
  bytes: bytes + more,
});

/** Weights by name for `loadStateDict`, whose sources report the first use of each. */
export class CountedWeights {
  readonly keys: readonly string[];
  readonly #pretrained: Pretrained;
  readonly #progress: (progress: ReadingProgress) => void;
  readonly #fileOf = new Map<string, string>();
  readonly #totals = new Map<string, Amount>();
  readonly #read = new Map<string, Amount>();
  readonly #seen = new Set<string>();
  #allRead = NONE;
  #total = NONE;

  constructor(pretrained: Pretrained, progress: (progress: ReadingProgress) => void) {
    this.keys = pretrained.keys;
    this.#pretrained = pretrained;
    this.#progress = progress;
    for (const [file, keys] of pretrained.tensorsByFile) for (const key of keys) this.#fileOf.set(key, file);
  }

  get(name: string): Weight {
    const weight = this.#pretrained.get(name);
    if (!(weight instanceof Tensor) || !isSource(weight.stored)) return weight;
    const bytes = storedBytes(this.#pretrained, name);
    const file = this.#fileOf.get(name) ?? "";
    this.#total = plus(this.#total, bytes);
    this.#totals.set(file, plus(this.#totals.get(file) ?? NONE, bytes));
    const { stored } = weight;
    const read: TensorSource["read"] = (from, to) => {
      const elements = stored.read(from, to);
      this.#count(name, file, bytes);
      return elements;
    };
    return new Tensor(weight.shape, { ...stored, read });
  }

  #count(tensor: string, file: string, bytes: number): void {
    if (this.#seen.has(tensor)) return; // [pretrained.progress]
    this.#seen.add(tensor);
    this.#allRead = plus(this.#allRead, bytes);
    this.#read.set(file, plus(this.#read.get(file) ?? NONE, bytes));
    this.#progress({
      tensor,
      file,
      read: this.#allRead,
      total: this.#total,
      readOfFile: this.#read.get(file) ?? NONE,
      totalOfFile: this.#totals.get(file) ?? NONE,
    });
  }
}
