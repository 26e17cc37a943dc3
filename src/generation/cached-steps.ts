// The steps of a text that a writer reads in passes, with the cache on a backend.
import type { Backend } from "../kernels/backend.ts";
import { releaseKept, replay } from "../kernels/replay.ts";
import { type Cache, type KeyValues, readOn, type Writer } from "../models/language-model.ts";
import { record } from "../tensor/program/record.ts";
import type { Bool, Int, Tensor } from "../tensor/tensor.ts";

/** The tokens that one step reads, and for each row which tokens of the text are no padding. */
export interface Pass {
  readonly ids: Int<"b l">;
  readonly mask: Bool<"b s">;
}

type Named = Readonly<Record<string, Tensor>>;

/** Runs a writer step by step. Its context and its cache stay on the backend between the steps. */
export class CachedSteps {
  readonly #writer: Writer;
  readonly #backend: Backend;
  readonly #signal: AbortSignal | undefined;
  #context: Named | null = null;
  #cache: Cache | null;

  /** `cache`: where the first step goes on, with keys and values that the steps release; null begins a text. */
  constructor(
    writer: Writer,
    backend: Backend,
    {
      signal,
      cache = null,
    }: { readonly signal?: AbortSignal | undefined; readonly cache?: Cache | null } = {},
  ) {
    this.#writer = writer;
    this.#backend = backend;
    this.#signal = signal;
    this.#cache = cache;
  }

  /** The number of tokens that have been read. */
  get length(): number {
    return this.#cache?.text.shape[1] ?? 0;
  }

  /** The logits of the token after the pass. */
  async step({ ids, mask }: Pass): Promise<Tensor> {
    const [writer, past] = [this.#writer, this.#cache];
    this.#context ??= await this.#run(() => ({ ...writer.context() }), {}); // [generate.context]
    const context = this.#context;
    const call = (): Named => {
      const { logits, cache } = writer.step(ids, mask, past, context);
      return { [LOGITS]: logits, ...tensorsOf(cache.layers) };
    };
    const before = tensorsOf(past?.layers ?? []);
    const { [LOGITS]: logits, ...kept } = await this.#run(call, {
      ...before,
      ...prefixed("context", context),
    });
    releaseKept(...Object.values(before));
    this.#cache = { layers: layersOf(kept), ...readOn(past, ids) };
    return logits as Tensor;
  }

  /** Frees the memory of context and cache. */
  close(): void {
    releaseKept(
      ...Object.values(this.#context ?? {}),
      ...Object.values(tensorsOf(this.#cache?.layers ?? [])),
    );
  }

  /** The outputs of a recorded call; all but the logits stay on the backend. */
  async #run(call: () => Named, inputs: Named): Promise<Named> {
    const program = record(() => ({ ...call() }), { model: this.#writer.model, inputs, symbolic: true });
    const keep = Object.keys(program.outputs).filter((name) => name !== LOGITS);
    return (await replay(program, this.#backend, { keep, signal: this.#signal })).outputs; // [generate.signal]
  }
}

const LOGITS = "logits";

/** A cache as named tensors, cache.0.k cache.0.v cache.1.k …, as programs take and return it. */
const tensorsOf = (layers: readonly KeyValues[]): Named =>
  Object.fromEntries(
    layers.flatMap(({ k, v }, i) => [
      [`cache.${i}.k`, k],
      [`cache.${i}.v`, v],
    ]),
  );

const prefixed = (prefix: string, tensors: Named): Named =>
  Object.fromEntries(Object.entries(tensors).map(([name, t]) => [`${prefix}.${name}`, t]));

const layersOf = (tensors: Named): KeyValues[] =>
  Array.from({ length: Object.keys(tensors).length / 2 }, (_, i) => ({
    k: tensors[`cache.${i}.k`] as Tensor,
    v: tensors[`cache.${i}.v`] as Tensor,
  }));
