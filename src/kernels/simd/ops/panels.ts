// Panels of a stored weight: their layout, how they are packed from the weight's source, and how rows are read from them.
import type { Precision } from "../../../tensor/precision.ts";
import { type Elements, type TensorSource, widened } from "../../../tensor/source.ts";
import { offsets, rowMajor, type Shape, sizeOf } from "../../../tensor/tensor.ts";
import type { Engine } from "../engine.ts";
import type { Heap } from "../heap.ts";
import { BYTES, DEPTH, type Layout, type PanelDtype, type Panels, pack, panelled, WIDTH } from "./pack.ts";

/** The dtype in which values are stored here: float64 is rounded to float32. */
export const panelDtype = (dtype: Precision): PanelDtype => (dtype === "float64" ? "float32" : dtype);

/** Elements that are read from a source at a time. */
const CHUNK = 2 ** 21;

const sizeAlong = (shape: Shape, axes: readonly number[]): number =>
  sizeOf(axes.map((axis) => shape[axis] ?? 1));

/** The number of elements of the panels of a weight. */
export const panelElements = (shape: Shape, { outer, inner }: Layout): number =>
  panelled(sizeAlong(shape, outer), WIDTH) * sizeAlong(shape, inner);

/** Elements in the heap. */
export const elementsAt = (heap: Heap, { address, dtype }: Panels, n: number): Float32Array | Uint16Array =>
  dtype === "float32" ? heap.floats(address, n) : heap.shorts(address, n);

/** Copies elements, rounded or widened to float32 if that is the dtype of `to`. */
export function copyElements(from: Elements, dtype: Precision, to: Float32Array | Uint16Array): void {
  to.set(to instanceof Float32Array ? widened(from, dtype) : from);
}

/** Copies a source to an array in the heap, a chunk at a time. */
export function copySource(source: TensorSource, to: Float32Array | Uint16Array): void {
  for (let at = 0; at < to.length; at += CHUNK) {
    const end = Math.min(at + CHUNK, to.length);
    copyElements(source.read(at, end), source.dtype, to.subarray(at, end));
  }
}

/** The number of rows, along the first axis, that are read and packed at a time: whole panels, or whole blocks of depth. */
function rowsOfChunk(shape: Shape, { outer, inner }: Layout): number {
  const rows = shape[0] ?? 1;
  const unit = outer[0] === 0 ? WIDTH : inner[0] === 0 ? DEPTH : rows;
  const width = sizeOf(shape.slice(1));
  return Math.min(rows, Math.max(1, Math.floor(CHUNK / (unit * width))) * unit);
}

/** Packs a weight. The chunks in which it is read are temporary. */
export function packSource(
  engine: Engine,
  source: TensorSource,
  shape: Shape,
  layout: Layout,
  { address, dtype }: Panels,
): void {
  const stride = rowMajor(shape);
  const list = (axes: readonly number[]): Int32Array =>
    offsets(
      axes.map((axis) => shape[axis] ?? 1),
      axes.map((axis) => stride[axis] ?? 0),
    );
  const [outer, inner] = [list(layout.outer), list(layout.inner)];
  const rows = shape[0] ?? 1;
  const width = stride[0] ?? 1;
  const high = rowsOfChunk(shape, layout);
  const panels = panelled(outer.length, WIDTH);
  const chunk = engine.temporary(BYTES[dtype] * high * width);
  const elements = elementsAt(engine.heap, { address: chunk, dtype }, high * width);
  for (let row = 0; row < rows; row += high) {
    const end = Math.min(rows, row + high);
    copyElements(source.read(row * width, end * width), source.dtype, elements);
    const part = (axes: readonly number[], all: Int32Array): [number, number] =>
      axes[0] === 0 && high < rows ? [(row * all.length) / rows, (end * all.length) / rows] : [0, all.length];
    const [top, bottom] = part(layout.outer, outer);
    const [first, last] = part(layout.inner, inner);
    // Of a part of the panels, each block of depth is packed by itself, since the blocks of other panels lie between.
    const deep = bottom - top < outer.length ? DEPTH : last - first;
    for (let k = first; k < last; k += deep) {
      const d = Math.min(deep, last - k);
      const matrices = {
        address: chunk + BYTES[dtype] * ((inner[k] ?? 0) + (outer[top] ?? 0) - row * width),
        starts: Int32Array.of(0),
        outer: outer.subarray(top, bottom).map((at) => at - (outer[top] ?? 0)),
        inner: inner.subarray(k, k + d).map((at) => at - (inner[k] ?? 0)),
      };
      pack(engine, matrices, WIDTH, address + BYTES[dtype] * (k * panels + top * d), dtype);
    }
  }
}

/** Whether the rows of a layout's panels are those of the weight's first axis. */
export const readsRows = ({ outer, inner }: Layout): boolean =>
  `${outer}` === "0" && inner.every((axis, i) => axis === i + 1);

/** A row of panels whose rows are those of the weight's first axis. */
export function rowOfPanels(
  heap: Heap,
  panels: Panels,
  [rows, depth]: readonly [number, number],
  row: number,
): Float32Array | Float64Array {
  const all = elementsAt(heap, panels, panelled(rows, WIDTH) * depth);
  const out = panels.dtype === "float32" ? new Float32Array(depth) : new Uint16Array(depth);
  const lane = row % WIDTH;
  for (let k = 0; k < depth; k += DEPTH) {
    const d = Math.min(DEPTH, depth - k);
    const start = k * panelled(rows, WIDTH) + (row - lane) * d + lane;
    for (let p = 0; p < d; p++) out[k + p] = all[start + WIDTH * p] ?? 0;
  }
  return widened(out, panels.dtype);
}

/** Copies rows of a source. They are read in ascending order, which a sequential source reads in one pass. */
export function copyRows(source: TensorSource, ids: Int32Array, width: number, out: Float32Array): void {
  const order = Int32Array.from(ids.keys()).sort((i, j) => (ids[i] ?? 0) - (ids[j] ?? 0));
  let [last, from] = [-1, 0];
  for (const i of order) {
    const id = ids[i] ?? 0;
    const to = i * width;
    if (id === last) out.copyWithin(to, from, from + width);
    else copyElements(source.read(id * width, (id + 1) * width), source.dtype, out.subarray(to, to + width));
    [last, from] = [id, to];
  }
}
