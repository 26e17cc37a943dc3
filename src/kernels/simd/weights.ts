// Parameters in the heap between runs. One that only products and lookups read is stored as panels, in each layout that products need,
// when a product first needs it; any other one is stored as an array. Panels of 16-bit weights have 16 bits.
//
// The budget limits the bytes that are stored. A weight beyond it is packed for each use. Stored weights are freed to make room: first
// those that the present run has not used, then all but those that the present computation reads.
import { LoadError } from "../../tensor/errors.ts";
import type { TensorSource } from "../../tensor/source.ts";
import { sourceOf, type Tensor, type View, view, viewOf } from "../../tensor/tensor.ts";
import type { Use } from "../backend.ts";
import { isReleasable, type Releasable } from "../stored-parameters.ts";
import type { Engine } from "./engine.ts";
import { gigabytes } from "./heap.ts";
import { BYTES, type Layout, type Packed, type PanelDtype, type Panels } from "./ops/pack.ts";
import {
  copyRows,
  copySource,
  elementsAt,
  packSource,
  panelDtype,
  panelElements,
  readsRows,
  rowOfPanels,
} from "./ops/panels.ts";
import { panelLayout } from "./ops/product.ts";

/** A parameter as it is stored once. */
interface Form extends Panels {
  /** The key of the panels' layout, or that of an array. */
  readonly key: string;
  readonly bytes: number;
  /** The forms of the same parameter by key. */
  readonly among: Map<string, Form>;
  /** The last run that used it. */
  run: number;
}

interface Entry {
  readonly t: Releasable;
  readonly source: object;
  readonly forms: Map<string, Form>;
  /** The view that stands for the parameter in products and lookups. */
  readonly handle: View;
  /** The layouts that products of the present program read. */
  layouts: readonly Layout[];
}

/** The keys of an array of float32, and of the bits of 16-bit floats. */
const [ARRAY, BITS] = ["array", "bits"];
const arrayKey = (dtype: PanelDtype): string => (dtype === "float32" ? ARRAY : BITS);

/** The layouts in which products read a parameter; null if ops other than products and lookups read it. */
function layoutsOf(uses: readonly Use[]): Layout[] | null {
  const layouts: Layout[] = [];
  for (const { node, operand, shapes } of uses) {
    if (node.op === "gather") continue;
    const pattern = node.op === "einsum" ? (node.attrs as { pattern: string }).pattern : null;
    const layout = pattern === null ? null : panelLayout(pattern, shapes, operand);
    if (layout === null) return null;
    layouts.push(layout);
  }
  return uses.length > 0 ? layouts : null;
}

/** The values as they are stored. A function's array is the one that the parameter keeps until `release`. */
const valuesOf = (t: Releasable): TensorSource =>
  typeof t.stored === "function" ? { ...sourceOf(t.data), sequential: true } : sourceOf(t.stored);

export class Weights implements Packed {
  readonly #engine: Engine;
  readonly #entries = new WeakMap<Tensor, Entry>();
  /** Entries by the empty array of their handle. */
  readonly #handles = new WeakMap<object, Entry>();
  /** Every form by its address. */
  readonly #forms = new Map<number, Form>();
  /** Frees the forms of a parameter that has been garbage-collected. */
  readonly #collected = new FinalizationRegistry<Map<string, Form>>((forms) => this.#freeAll(forms));
  #run = 0;
  #used = 0;

  constructor(engine: Engine) {
    this.#engine = engine;
    engine.heap.makeRoom = () =>
      this.#freeOne((form) => form.run < this.#run) || this.#freeOne(this.#isUnread);
  }

  /** Begins a run. What earlier runs have stored may be freed to make room for it. */
  begin(): void {
    this.#run++;
  }

  /** Whether the block belongs to a stored parameter, which no run frees. */
  has(block: number): boolean {
    return this.#forms.has(block);
  }

  parameter(t: Tensor, uses: readonly Use[]): View | null {
    if (!isReleasable(t) || t.size === 0) return null;
    const entry = this.#entryOf(t);
    const layouts = layoutsOf(uses);
    if (layouts === null) {
      const { address } = this.#array(entry, "float32");
      return view(this.#engine.heap.floats(address, t.size), t.shape);
    }
    entry.layouts = layouts;
    return entry.handle;
  }

  panels(b: View, layout: Layout): Panels | null {
    const entry = this.#handles.get(b.data);
    if (!entry) return null;
    const panels = this.#storedPanels(entry, layout) ?? this.#temporaryPanels(entry, layout);
    this.#engine.pin(panels.address);
    return panels;
  }

  /**
   * Copies rows of a stored parameter to `out`; false if `table` is an ordinary view. They come from the panels of a tied output layer,
   * or from the source, of which only these rows are read, unless it is sequential: then the whole table is stored.
   */
  lookUp(table: View, ids: Int32Array, out: Float32Array): boolean {
    const entry = this.#handles.get(table.data);
    if (!entry) return false;
    const { heap } = this.#engine;
    const rows = table.shape[0] ?? 1;
    const width = entry.t.size / rows;
    const layout = entry.layouts.find(readsRows);
    const panels = layout ? this.#storedPanels(entry, layout) : null;
    if (panels) {
      for (const [i, id] of ids.entries()) out.set(rowOfPanels(heap, panels, [rows, width], id), i * width);
      return true;
    }
    copyRows(this.#rowSource(entry), ids, width, out);
    entry.t.release();
    return true;
  }

  #rowSource(entry: Entry): TensorSource {
    const { t } = entry;
    const source = valuesOf(t);
    const dtype = panelDtype(source.dtype);
    const isStored = entry.forms.has(arrayKey(dtype));
    if (!source.sequential || !(isStored || this.#fits(BYTES[dtype] * t.size))) return source;
    const array = elementsAt(this.#engine.heap, this.#array(entry, dtype), t.size);
    return { dtype, read: (from, to) => array.subarray(from, to) };
  }

  #entryOf(t: Releasable): Entry {
    const known = this.#entries.get(t);
    if (known?.source === t.source) return known;
    const forms = known?.forms ?? new Map<string, Form>();
    if (known) this.#freeAll(forms);
    else this.#collected.register(t, forms);
    const entry: Entry = {
      t,
      source: t.source,
      forms,
      handle: viewOf(new Float32Array(0), t.shape),
      layouts: [],
    };
    this.#entries.set(t, entry);
    this.#handles.set(entry.handle.data, entry);
    return entry;
  }

  #found({ forms }: Entry, key: string): Form | null {
    const form = forms.get(key);
    if (form) form.run = this.#run;
    return form ?? null;
  }

  /** Panels that are stored, or are from now on; null if the budget does not allow it. */
  #storedPanels(entry: Entry, layout: Layout): Form | null {
    const found = this.#found(entry, layout.key);
    if (found) return found;
    const { shape } = entry.t;
    const source = valuesOf(entry.t);
    const dtype = panelDtype(source.dtype);
    const bytes = BYTES[dtype] * panelElements(shape, layout);
    if (!this.#fits(bytes)) return null;
    return this.#store(entry, layout.key, bytes, dtype, (panels) =>
      this.#engine.withOwnTemporaries(() => packSource(this.#engine, source, shape, layout, panels)),
    );
  }

  /** Panels for the present computation. */
  #temporaryPanels({ t }: Entry, layout: Layout): Panels {
    const source = valuesOf(t);
    const dtype = panelDtype(source.dtype);
    const bytes = BYTES[dtype] * panelElements(t.shape, layout);
    const panels = { address: inOnePiece(t, bytes, () => this.#engine.temporary(bytes)), dtype };
    packSource(this.#engine, source, t.shape, layout, panels);
    t.release();
    return panels;
  }

  /** The numbers in row-major order, stored whatever the budget is. */
  #array(entry: Entry, dtype: PanelDtype): Form {
    const key = arrayKey(dtype);
    const found = this.#found(entry, key);
    if (found) return found;
    const { t } = entry;
    const source = valuesOf(t);
    return this.#store(entry, key, BYTES[dtype] * t.size, dtype, (array) =>
      copySource(source, elementsAt(this.#engine.heap, array, t.size)),
    );
  }

  #store(
    { t, forms: among }: Entry,
    key: string,
    bytes: number,
    dtype: PanelDtype,
    fill: (panels: Panels) => void,
  ): Form {
    const { heap } = this.#engine;
    const address = inOnePiece(t, bytes, () => heap.allocate(bytes));
    const form: Form = { key, address, bytes, dtype, among, run: this.#run };
    try {
      fill(form);
    } catch (error) {
      heap.free(address);
      throw error;
    }
    among.set(key, form);
    this.#forms.set(address, form);
    this.#used += bytes;
    t.release();
    return form;
  }

  /** Whether so many bytes may be stored, after what the present run has not used has been freed if need be. */
  #fits(bytes: number): boolean {
    const { budget } = this.#engine;
    if (bytes > budget) return false;
    while (this.#used + bytes > budget) if (!this.#freeOne((form) => form.run < this.#run)) return false;
    return true;
  }

  /** Whether nothing reads a form at present. Replay may hold arrays until the end of the run. */
  readonly #isUnread = ({ key, address }: Form): boolean => key !== ARRAY && !this.#engine.isPinned(address);

  #freeOne(mayFree: (form: Form) => boolean): boolean {
    for (const form of this.#forms.values()) {
      if (!mayFree(form)) continue;
      this.#free(form);
      return true;
    }
    return false;
  }

  #free({ address, bytes, among, key }: Form): void {
    if (!this.#forms.delete(address)) return;
    among.delete(key);
    this.#used -= bytes;
    this.#engine.heap.free(address);
  }

  #freeAll(forms: Map<string, Form>): void {
    for (const form of forms.values()) this.#free(form);
  }
}

/** An error that names the weight for which there is no room. */
function inOnePiece({ shape }: Tensor, bytes: number, allocate: () => number): number {
  try {
    return allocate();
  } catch (error) {
    if (!(error instanceof LoadError)) throw error;
    throw new LoadError(
      `a weight of shape [${shape.join(" ")}] needs ${gigabytes(bytes)} in one piece: ${error.message}`,
    );
  }
}
