// Concatenation in place. A concatenation with a kept result gets a block with room for as many rows again; a later one with its result
// writes the new rows there, as append does with the slices of Go. Values never change: rows are written only where none was before.
import { LoadError } from "../../../tensor/errors.ts";
import { concat as concatRule } from "../../../tensor/ops/movement.ts";
import type { Ops } from "../../../tensor/ops/table.ts";
import { rowMajor, type Shape, sizeOf, type View, view } from "../../../tensor/tensor.ts";
import type { Engine } from "../engine.ts";
import { concat, copyInto, part } from "./movement.ts";

/** A block with room along one axis. */
interface Growing {
  readonly axis: number;
  /** The shape with all of the room, in which the block is row-major. */
  readonly shape: Shape;
  /** Rows along the axis that some value has. */
  used: number;
}

/** The blocks of kept results, and those among them that have room for more rows. */
export class Appends {
  readonly #engine: Engine;
  readonly #kept = new Set<number>();
  readonly #growing = new Map<number, Growing>();

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** A view of a block that stays after the run: `v` itself, or a copy if it is outside the heap or needs less than half of its block. */
  keep(v: View, block: number | null): View {
    if (sizeOf(v.shape) === 0) return v;
    const { heap } = this.#engine;
    const isMost =
      block !== null && (this.#growing.has(block) || heap.sizeOf(block) <= 8 * sizeOf(v.shape) + 64);
    const own = isMost ? v : copyOf(this.#engine, v);
    this.#kept.add(isMost ? block : own.data.byteOffset);
    return own;
  }

  /** A block has been freed. */
  forget(block: number): void {
    this.#kept.delete(block);
    this.#growing.delete(block);
  }

  concat({ axis }: Ops["concat"]["attrs"], views: readonly View[]): View {
    const [past, rows, ...more] = views;
    const block = past && this.#engine.heap.blockOf(past.data);
    if (!past || !rows || more.length > 0 || block == null || !this.#kept.has(block))
      return concat(this.#engine, { axis }, views);
    const shape = concatRule.shape({ axis }, past.shape, rows.shape);
    const growing = this.#growing.get(block);
    if (growing && past.data.byteOffset === block && hasRoom(growing, past, axis, rows.shape[axis] ?? 0)) {
      copyInto(this.#engine, part(viewOf(past, shape), axis, growing.used, rows), rows, 0); // [replay.append]
      growing.used = shape[axis] ?? 0;
      return viewOf(past, shape);
    }
    return this.#grown(axis, shape, views) ?? concat(this.#engine, { axis }, views);
  }

  /** The concatenation in a block with twice the room that it needs; null if the heap has no such block. */
  #grown(axis: number, shape: Shape, views: readonly View[]): View | null {
    const used = shape[axis] ?? 0;
    const wide = shape.map((n, i) => (i === axis ? 2 * n : n));
    try {
      const { data } = this.#engine.result(wide);
      const out = view(data, shape, rowMajor(wide));
      let from = 0;
      for (const v of views) {
        copyInto(this.#engine, part(out, axis, from, v), v);
        from += v.shape[axis] ?? 0;
      }
      if (sizeOf(shape) > 0) this.#growing.set(data.byteOffset, { axis, shape: wide, used });
      return out;
    } catch (error) {
      if (error instanceof LoadError) return null;
      throw error;
    }
  }
}

const viewOf = ({ data, stride, offset }: View, shape: Shape): View => view(data, shape, stride, offset);

function copyOf(engine: Engine, v: View): View {
  const out = engine.result(v.shape);
  copyInto(engine, out, v);
  return out;
}

/**
 * Whether `n` rows can be added to a value where it lies: it has all rows of the block that are in use, its axes are those of the block
 * in some order, and there is room.
 */
function hasRoom({ axis, shape, used }: Growing, v: View, along: number, n: number): boolean {
  const steps = rowMajor(shape);
  if (v.offset !== 0 || v.shape[along] !== used || used + n > (shape[axis] ?? 0)) return false;
  if (v.stride[along] !== steps[axis]) return false;
  const others = (sizes: Shape, stride: readonly number[], except: number): string[] =>
    sizes.flatMap((size, i) => (i === except || size === 1 ? [] : [`${size} by ${stride[i]}`])).sort();
  return `${others(v.shape, v.stride, along)}` === `${others(shape, steps, axis)}`;
}
