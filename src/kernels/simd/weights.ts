// Parameters in the heap, kept from run to run: as panels where only products read them, else as they are. Once they are here the
// model's own copy is released.
import type { Floats, Tensor, View } from "../../tensor/tensor.ts";
import { flat, offsets, rowMajor, view } from "../../tensor/tensor.ts";
import type { Use } from "../backend.ts";
import { isReleasable, type Releasable } from "../releasable.ts";
import type { Engine } from "./engine.ts";
import { type Packed, pack, panelLayout, panelled, WIDTH } from "./ops/product.ts";

interface Kept {
  readonly source: object;
  /** The layout of its panels; null: the numbers as they are. */
  readonly key: string | null;
  readonly view: View;
  readonly at: number;
}

type Layout = NonNullable<ReturnType<typeof panelLayout>>;

/** The one layout in which everybody who reads a parameter wants its panels, if there is one. */
function commonLayout(uses: readonly Use[]): Layout | null {
  const layouts = uses.map(({ node, place, shapes }) =>
    node.op === "einsum" ? panelLayout((node.attrs as { pattern: string }).pattern, shapes, place) : null,
  );
  const [first] = layouts;
  return first && layouts.every((layout) => layout?.key === first.key) ? first : null;
}

export class Weights implements Packed {
  readonly #engine: Engine;
  readonly #kept = new WeakMap<Tensor, Kept>();
  /** Panels by the empty array that stands for them. */
  readonly #panels = new WeakMap<Floats, Kept>();
  readonly #blocks = new Set<number>();
  readonly #forgotten: FinalizationRegistry<number>;

  constructor(engine: Engine) {
    this.#engine = engine;
    this.#forgotten = new FinalizationRegistry((at) => this.#free(at));
  }

  /** Is this block one that stays between runs? */
  has(block: number): boolean {
    return this.#blocks.has(block);
  }

  find(b: View, key: string): number | null {
    const kept = this.#panels.get(b.data);
    return kept?.key === key ? kept.at : null;
  }

  parameter(t: Tensor, uses: readonly Use[]): View | null {
    if (!isReleasable(t) || t.size === 0) return null;
    const layout = commonLayout(uses);
    const key = layout?.key ?? null;
    const known = this.#kept.get(t);
    if (known?.source === t.source && known.key === key) return known.view;
    if (known) {
      this.#forgotten.unregister(known.view); // its address may be another's by then
      this.#kept.delete(t);
      this.#free(known.at);
    }
    const kept = layout ? this.#packed(t, layout) : this.#plain(t);
    this.#kept.set(t, kept);
    this.#blocks.add(kept.at);
    if (layout) this.#panels.set(kept.view.data, kept);
    this.#forgotten.register(t, kept.at, kept.view);
    t.release();
    return kept.view;
  }

  #plain(t: Releasable): Kept {
    const { source, shape } = t;
    const copy = this.#engine.result(shape);
    copy.data.set(flat(t.data));
    return { source, key: null, view: copy, at: copy.data.byteOffset };
  }

  #packed(t: Releasable, { key, outer, inner }: Layout): Kept {
    const { source, shape } = t;
    const engine = this.#engine;
    const stride = t.data.stride;
    const list = (axes: readonly number[]) =>
      offsets(
        axes.map((axis) => shape[axis] ?? 1),
        axes.map((axis) => stride[axis] ?? 0),
      );
    const [rows, columns] = [list(outer), list(inner)];
    const at = engine.reserve(4 * panelled(rows.length, WIDTH) * columns.length);
    engine.within(() => {
      const starts = Int32Array.of(0);
      pack(engine, { at: engine.place(t.data).at, starts, outer: rows, inner: columns }, WIDTH, at);
    });
    return { source, key, at, view: view(new Float32Array(0), shape, rowMajor(shape)) };
  }

  #free(at: number): void {
    if (this.#blocks.delete(at)) this.#engine.heap.free(at);
  }
}
