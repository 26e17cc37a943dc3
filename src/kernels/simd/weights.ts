// Parameters stored in the heap between runs: packed into panels if only products read them, otherwise as plain arrays. Once a
// parameter is stored, the model's own copy is released.
import type { Floats, Tensor, View } from "../../tensor/tensor.ts";
import { flat, offsets, viewElsewhere } from "../../tensor/tensor.ts";
import type { Use } from "../backend.ts";
import { isReleasable, type Releasable } from "../releasable.ts";
import type { Engine } from "./engine.ts";
import { type Packed, pack, panelLayout, panelled, WIDTH } from "./ops/product.ts";

interface Stored {
  readonly source: object;
  /** The layout of the panels; null for a plain array. */
  readonly key: string | null;
  readonly view: View;
  readonly address: number;
}

type Layout = NonNullable<ReturnType<typeof panelLayout>>;

/** The layout of panels that suits all uses of a parameter, if they agree on one. */
function commonLayout(uses: readonly Use[]): Layout | null {
  const layouts = uses.map(({ node, operand, shapes }) =>
    node.op === "einsum" ? panelLayout((node.attrs as { pattern: string }).pattern, shapes, operand) : null,
  );
  const [first] = layouts;
  return first && layouts.every((layout) => layout?.key === first.key) ? first : null;
}

export class Weights implements Packed {
  readonly #engine: Engine;
  readonly #stored = new WeakMap<Tensor, Stored>();
  /** Panels by the empty array that represents them in a view. */
  readonly #panels = new WeakMap<Floats, Stored>();
  readonly #blocks = new Set<number>();
  /** Frees the block of a parameter that has been garbage-collected. */
  readonly #collected: FinalizationRegistry<number>;

  constructor(engine: Engine) {
    this.#engine = engine;
    this.#collected = new FinalizationRegistry((address) => this.#free(address));
  }

  /** Whether the block belongs to a stored parameter, which no run frees. */
  has(block: number): boolean {
    return this.#blocks.has(block);
  }

  find(b: View, key: string): number | null {
    const panels = this.#panels.get(b.data);
    return panels?.key === key ? panels.address : null;
  }

  parameter(t: Tensor, uses: readonly Use[]): View | null {
    if (!isReleasable(t) || t.size === 0) return null;
    const layout = commonLayout(uses);
    const key = layout?.key ?? null;
    const current = this.#stored.get(t);
    if (current?.source === t.source && current.key === key) return current.view;
    if (current) {
      this.#collected.unregister(current.view); // by then the address may belong to another block
      this.#stored.delete(t);
      this.#free(current.address);
    }
    const stored = layout ? this.#packed(t, layout) : this.#plain(t);
    this.#stored.set(t, stored);
    this.#blocks.add(stored.address);
    if (layout) this.#panels.set(stored.view.data, stored);
    this.#collected.register(t, stored.address, stored.view);
    t.release();
    return stored.view;
  }

  #plain(t: Releasable): Stored {
    const { source, shape } = t;
    const copy = this.#engine.result(shape);
    copy.data.set(flat(t.data));
    return { source, key: null, view: copy, address: copy.data.byteOffset };
  }

  #packed(t: Releasable, { key, outer, inner }: Layout): Stored {
    const { source, shape } = t;
    const engine = this.#engine;
    const stride = t.data.stride;
    const list = (axes: readonly number[]) =>
      offsets(
        axes.map((axis) => shape[axis] ?? 1),
        axes.map((axis) => stride[axis] ?? 0),
      );
    const [rows, columns] = [list(outer), list(inner)];
    const address = engine.reserve(4 * panelled(rows.length, WIDTH) * columns.length);
    engine.withTemporaries(() => {
      const starts = Int32Array.of(0);
      const { address: source } = engine.operand(t.data);
      pack(engine, { address: source, starts, outer: rows, inner: columns }, WIDTH, address);
    });
    return { source, key, address, view: viewElsewhere(shape) };
  }

  #free(address: number): void {
    if (this.#blocks.delete(address)) this.#engine.heap.free(address);
  }
}
