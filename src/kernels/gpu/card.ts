// gpu.js in the modes of a graphics card, webgl2 and webgpu: what one kernel computes stays on the device for the next.
import { Bug, RuleError, ShapeError } from "../../tensor/errors.ts";
import type { AttentionAttrs } from "../attention-attrs.ts";
import { type AttentionInputs, maskCodes, sizesOf } from "./attention.ts";
import { rowSums, rowTops, scalarProduct, softWeights } from "./card-kernels.ts";
import { assertMode, type Library, library, messageOf, open, type Shortcut } from "./device.ts";
import { fours, type Matrices, wideRows } from "./matrices.ts";

export type CardMode = "webgl2" | "webgpu";
export const isCardMode = (mode: string): mode is CardMode => mode === "webgl2" || mode === "webgpu";

/** Floats [z][y][x] on the device. What they are there, a texture or a buffer, is nobody's business. */
export interface CardBuffer {
  readonly size: Size;
  readonly handle: Handle;
}
/** Along x (contiguous), y and z. */
export type Size = readonly [x: number, y: number, z: number];

interface Handle {
  toArray(): unknown;
  delete(): void;
}
type Argument = CardBuffer | { readonly values: Float32Array; readonly size: Size };

type CardKernel = (this: never, ...inputs: never[]) => number;
type Rows = readonly (readonly Float32Array[])[];

export class Card {
  readonly mode: CardMode;
  /** Buffers that are not released yet. */
  live = 0;
  readonly #library: Library;
  readonly #gpu: ReturnType<typeof open>;
  readonly #kernels = new Map<string, Shortcut>();
  #closed = false;

  constructor(library: Library, mode: CardMode) {
    this.mode = mode;
    this.#library = library;
    this.#gpu = open(library.GPU, mode);
  }

  static async open(mode: CardMode, load?: () => Promise<Library>): Promise<Card> {
    return new Card(await library(load), mode);
  }

  /** Runs the kernel of that key, compiled on its first run and kept. Its loops end at `depth`. */
  async run(
    key: string,
    body: CardKernel,
    depth: number,
    size: Size,
    inputs: readonly Argument[],
  ): Promise<CardBuffer> {
    const name = `${key} ${depth}`;
    if (this.#closed) throw new Bug(`kernel "${name}" was called after its device was destroyed`); // [gpu.destroy]
    try {
      const kernel = this.#kernels.get(name) ?? this.#compile(body, depth);
      this.#kernels.set(name, kernel);
      kernel.setOutput(size);
      const handle = (await kernel(...inputs.map((input) => this.#argument(input)))) as Handle;
      assertMode(kernel, this.mode, name, this.#library.WebGL2Kernel);
      if (typeof handle?.toArray !== "function") throw new Bug("the result is not on the device");
      this.live++;
      return { size, handle }; // [gpu.resident]
    } catch (reason) {
      if (reason instanceof RuleError) throw reason;
      throw new Bug(`gpu.js failed in kernel "${name}": ${messageOf(reason)}`, { cause: reason }); // [gpu.errors]
    }
  }

  /** The floats, row-major. */
  async download({ handle, size: [x, y, z] }: CardBuffer): Promise<Float32Array> {
    const layers = (await handle.toArray()) as Rows;
    const out = new Float32Array(x * y * z);
    let at = 0;
    for (const row of layers.flat()) {
      out.set(row, at);
      at += row.length;
    }
    if (at !== out.length) throw new Bug(`gpu.js returned ${at} floats instead of ${out.length}`);
    return out;
  }

  release(...buffers: readonly CardBuffer[]): void {
    for (const { handle } of buffers) handle.delete();
    this.live -= buffers.length;
  }

  async destroy(): Promise<void> {
    this.#closed = true;
    this.#kernels.clear();
    await this.#gpu.destroy();
  }

  #compile(body: CardKernel, depth: number): Shortcut {
    return this.#gpu.createKernel(body as never, {
      constants: { depth },
      strictIntegers: true,
      precision: "single",
      asyncMode: true,
      pipeline: true,
      immutable: true, // every result is a buffer of its own
      dynamicArguments: true,
      dynamicOutput: true,
      output: [1, 1, 1],
    }) as Shortcut;
  }

  #argument(input: Argument): unknown {
    return "handle" in input ? input.handle : this.#library.input(input.values, [...input.size]);
  }
}

const matrix = (a: Matrices): Argument => ({
  values: wideRows(a),
  size: [4 * fours(a.columns.length), a.rows.length, a.starts.length],
});

/** C[z, i, j] = Σₚ A[z, i, p] B[z, p, j], row-major. */
export async function cardMatmul(card: Card, a: Matrices, b: Matrices): Promise<Float32Array> {
  const [batch, rows, depth, columns] = [a.starts.length, a.rows.length, a.columns.length, b.columns.length];
  if (b.starts.length !== batch || b.rows.length !== depth) {
    throw new ShapeError(
      `[${batch} ${rows} ${depth}] times [${b.starts.length} ${b.rows.length} ${columns}]  [gpu.sizes]`,
    );
  }
  const cells = batch * rows * columns;
  if (cells === 0 || depth === 0) return new Float32Array(cells); // [gpu.empty]
  const c = await card.run("product", scalarProduct, depth, [columns, rows, batch], [matrix(a), matrix(b)]);
  return taken(card, c); // [gpu.product]
}

async function taken(card: Card, buffer: CardBuffer): Promise<Float32Array> {
  try {
    return await card.download(buffer);
  } finally {
    card.release(buffer);
  }
}

/** Scores, softmax and the sum over values, none of which leaves the device but the last. */
export async function cardAttention(
  card: Card,
  inputs: AttentionInputs,
  attrs: AttentionAttrs,
): Promise<Float32Array> {
  const { batch, l, s, d, e } = sizesOf(inputs);
  const { q, k, v } = inputs;
  const codes = maskCodes(attrs, [batch, l, s]);
  if (batch * l * e === 0 || s === 0) return new Float32Array(batch * l * e); // [gpu.empty]
  const ofEmpty = attrs.emptyRow === "zero" ? 0 : attrs.emptyRow === "uniform" ? 1 / s : NaN; // [gpu.empty-row]
  const mask: Argument = { values: codes, size: [s, l, batch] };
  const fill: Argument = { values: Float32Array.of(ofEmpty), size: [1, 1, 1] };
  const none: Argument = { values: new Float32Array(s * l * batch), size: [s, l, batch] };
  const held: CardBuffer[] = [];
  const keep = async (made: Promise<CardBuffer>): Promise<CardBuffer> => {
    held.push(await made);
    return held.at(-1) as CardBuffer;
  };
  const flipped = { ...k, rows: k.columns, columns: k.rows };
  try {
    const scores =
      d === 0
        ? none
        : await keep(card.run("scores", scalarProduct, d, [s, l, batch], [matrix(q), matrix(flipped)]));
    const tops = await keep(card.run("tops", rowTops, s, [1, l, batch], [scores, mask]));
    const sums = await keep(card.run("sums", rowSums, s, [1, l, batch], [scores, mask, tops]));
    const weights = await keep(
      card.run("weights", softWeights, s, [s, l, batch], [scores, mask, tops, sums, fill]),
    );
    const out = await card.run("values", scalarProduct, s, [e, l, batch], [weights, matrix(v)]);
    return await taken(card, out); // [gpu.attention]
  } finally {
    card.release(...held);
  }
}
