// Results that stay in the memory of a backend, such as the keys and values that a decoder has cached.
import { RuleError } from "../tensor/errors.ts";
import { type Any, type Shape, Tensor, type View } from "../tensor/tensor.ts";
import type { Backend } from "./backend.ts";
import { KeptBlocks } from "./reference-counts.ts";

const nothing = (): void => {};

/** Adds a reference to the block of a view, and returns the function that removes it. */
function hold({ store }: Backend, v: View): () => void {
  const block = store?.blockOf(v.data) ?? null;
  if (!store || block === null) return nothing;
  const blocks = KeptBlocks.of(store);
  blocks.acquire(block);
  return () => blocks.release(block);
}

/** The numbers of a kept result, whose memory is not freed before `release`. */
export interface Hold {
  readonly view: View;
  release(): void;
}

/** A copy of numbers in the memory of a backend that no later run changes; the view itself if they are on the host. */
export const copiedFrom = async ({ store }: Backend, v: View): Promise<View> =>
  (await store?.copyOut(v)) ?? v;

/** Frees the memory of tensors that were garbage-collected without `release`. */
const collected = new FinalizationRegistry<() => void>((release) => release());

/**
 * A result of `run` or `replay` with `keep`. As a leaf of a later recording, or bound to one, it costs nothing on the same
 * backend; for another backend it is copied. `data` copies the numbers to the host when they are first read; if the host cannot
 * read the memory of the backend, `fetch` has to be awaited first. `release` frees the memory. Throws a RuleError where `data` is
 * read before such a fetch, or after `release`.
 */
export class KeptTensor<A extends string = Any> extends Tensor<A> {
  readonly backend: Backend;
  #view: View | null;
  #release: () => void;

  /** `v` is a view in the memory of the backend, if it has one of its own. */
  constructor(backend: Backend, shape: Shape, v: View) {
    super(shape);
    super.assign(() => this.#read());
    this.backend = backend;
    this.#view = v;
    this.#release = hold(backend, v);
    collected.register(this, this.#release, this);
  }

  /** The numbers as kernels of the backend read them. Throws a RuleError after `release`. */
  get view(): View {
    if (this.#view) return this.#view;
    throw new RuleError(
      `this result [${this.shape.join(" ")}] was released; read, bind or record it before`,
      "replay.release",
    );
  }

  get released(): boolean {
    return this.#view === null;
  }

  /** Whether kernels of a backend can read the numbers where they are. */
  isOn(backend: Backend): boolean {
    return backend === this.backend || (backend.store !== undefined && backend.store === this.backend.store);
  }

  /** The numbers, which stay until the hold is released, even if the tensor is released in the meantime. */
  hold(): Hold {
    return { view: this.view, release: hold(this.backend, this.view) };
  }

  /** Copies the numbers to the host, where `data` has them from then on. */
  async fetch(): Promise<this> {
    const { view, release } = this.hold();
    try {
      const copy = await copiedFrom(this.backend, view);
      if (!this.released) super.assign(copy);
      return this;
    } finally {
      release();
    }
  }

  /** Frees the memory. A second call does nothing. */
  release(): void {
    if (this.#view === null) return;
    this.#view = null;
    collected.unregister(this);
    this.#release();
    super.assign(() => this.view); // [replay.release]
  }

  /** Throws a RuleError: a kept result has no other values. */
  override assign(): never {
    throw new RuleError("a kept result cannot be given other values; make a new tensor", "replay.keep");
  }

  #read(): View {
    const { store, name } = this.backend;
    if (!store) return this.view;
    if (store.download)
      throw new RuleError(
        `the host cannot read the memory of the ${name} backend; await fetch() before data`,
        "replay.keep",
      );
    return store.copyOut(this.view) as View; // [replay.keep]
  }
}
