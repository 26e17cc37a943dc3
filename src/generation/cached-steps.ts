// The steps of a text that a writer reads in passes, with the cache on a backend.
import type { Backend } from "../kernels/backend.ts";
import { releaseKept, replay } from "../kernels/replay.ts";
import type { KeyValues } from "../models/language-model.ts";
import { withStep } from "../models/media-writer.ts";
import { type Cache, readOn, type Writer, type WriterWithStep } from "../models/writer.ts";
import { apply } from "../tensor/ops/rules.ts";
import { record } from "../tensor/program/record.ts";
import { type Bool, Int, type Tensor } from "../tensor/tensor.ts";

/** The tokens that one step reads, and for each row which tokens of the text are no padding. */
export interface Pass {
  readonly ids: Int<"b l">;
  readonly mask: Bool<"b s">;
  /** The row of the last pass that each row continues; null: the same one. */
  readonly from?: readonly number[] | null;
}

type Named = Readonly<Record<string, Tensor>>;

/** Runs a writer step by step. Its context and its cache stay on the backend between the steps. */
export class CachedSteps {
  readonly #writer: WriterWithStep;
  readonly #backend: Backend;
  readonly #signal: AbortSignal | undefined;
  #context: Named | null = null;
  #cache: Cache | null;
  /** Whether the context and the cache are this object's, to be released by it: those of a branch belong to its trunk at first. */
  #owns = { context: true, cache: true };

  /** `cache`: where the first step goes on, with keys and values that the steps release; null begins a text. */
  constructor(
    writer: Writer,
    backend: Backend,
    {
      signal,
      cache = null,
    }: { readonly signal?: AbortSignal | undefined; readonly cache?: Cache | null } = {},
  ) {
    this.#writer = withStep(writer);
    this.#backend = backend;
    this.#signal = signal;
    this.#cache = cache;
  }

  /** The number of tokens that have been read. */
  get length(): number {
    return this.#cache?.text.shape[1] ?? 0;
  }

  /** Steps that go on from the text read so far, which stays as it is here: several continuations can begin at one place. */
  branch(): CachedSteps {
    const branch = new CachedSteps(this.#writer, this.#backend, { signal: this.#signal, cache: this.#cache });
    branch.#context = this.#context;
    branch.#owns = { context: this.#context === null, cache: this.#cache === null };
    return branch; // [generate.branch]
  }

  /** The logits of the token after the pass. */
  async step({ ids, mask, from = null }: Pass): Promise<Tensor> {
    const [writer, before] = [this.#writer, this.#cache];
    const rows = before && from && !isIdentity(from, before) ? from : null;
    this.#context ??= await this.#run(() => ({ ...writer.context() }), {}); // [generate.context]
    const isNewBatch = !this.#owns.context || rows?.length !== before?.text.shape[0];
    if (rows && isNewBatch) await this.#selectContext(rows);
    const context = this.#context;
    const read = rows && before ? textRows(before, rows) : before;
    const call = (): Named => {
      const past = read && {
        ...read,
        layers: before && rows ? before.layers.map(selected(rows)) : read.layers,
      };
      const { logits, cache } = writer.step(ids, mask, past, context);
      return { [LOGITS]: logits, ...tensorsOf(cache.layers) };
    };
    const old = tensorsOf(before?.layers ?? []);
    const { [LOGITS]: logits, ...kept } = await this.#run(call, { ...old, ...prefixed("context", context) });
    if (this.#owns.cache) releaseKept(...Object.values(old)); // [generate.branch]
    this.#owns.cache = true;
    this.#cache = { layers: layersOf(kept), ...readOn(read, ids) };
    return logits as Tensor;
  }

  /**
   * Gives each row of the next pass its own context. Rows that only change places need none: they are beams of one prompt, whose contexts
   * are the same.
   */
  async #selectContext(rows: readonly number[]): Promise<void> {
    const old = this.#context ?? {};
    const call = (): Named =>
      Object.fromEntries(Object.entries(old).map(([name, t]) => [name, rowsOf(t, rows)]));
    this.#context = await this.#run(call, prefixed("context", old)); // [generate.rows]
    if (this.#owns.context) releaseKept(...Object.values(old)); // [generate.branch]
    this.#owns.context = true;
  }

  /** Frees the memory of context and cache; a branch leaves those of its trunk. */
  close(): void {
    if (this.#owns.context) releaseKept(...Object.values(this.#context ?? {}));
    if (this.#owns.cache) releaseKept(...Object.values(tensorsOf(this.#cache?.layers ?? [])));
  }

  /** The outputs of a recorded call; all but the logits stay on the backend. */
  async #run(call: () => Named, inputs: Named): Promise<Named> {
    const program = record(() => ({ ...call() }), { model: this.#writer.model, inputs, symbolic: true });
    const keep = Object.keys(program.outputs).filter((name) => name !== LOGITS);
    return (await replay(program, this.#backend, { keep, signal: this.#signal })).outputs; // [generate.signal]
  }
}

const LOGITS = "logits";

const isIdentity = (rows: readonly number[], { text }: Cache): boolean =>
  rows.length === text.shape[0] && rows.every((row, i) => row === i);

/** Rows along the first axis, the batch. */
const rowsOf = (t: Tensor, rows: readonly number[]): Tensor =>
  apply("gather", { ids: new Int([rows.length], Int32Array.from(rows)) }, t);

const selected =
  (rows: readonly number[]) =>
  ({ k, v }: KeyValues): KeyValues => ({ k: rowsOf(k, rows), v: rowsOf(v, rows) }); // [generate.rows]

/** The cache with rows of its text; its layers are left as they are. Rows that change places keep a record of it. */
function textRows(cache: Cache, rows: readonly number[]): Cache {
  const [b = 0, s = 0] = cache.text.shape;
  const flat = cache.text.flat();
  const data = new Int32Array(rows.length * s);
  for (const [i, row] of rows.entries()) data.set(flat.subarray(row * s, (row + 1) * s), i * s);
  const { moved, ...read } = { ...cache, text: new Int([rows.length, s], data) };
  if (rows.length !== b) return read; // copies of rows: each has a text of its own
  const { fed, parents } = moved ?? { fed: cache.text, parents: cache.passes.map(() => null) };
  return { ...read, moved: { fed, parents: [...parents, rows] } }; // [mask.step-beams]
}

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
