// gpu.js in the modes of a graphics card, webgl2 and webgpu: what one kernel computes stays on the device for the next.
import { Bug, RuleError } from "../../tensor/errors.ts";
import { copied } from "./card-kernels.ts";
import { assertMode, type Library, library, messageOf, open, type Shortcut } from "./device.ts";

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
/** What is on the device, or goes there with a call. */
export type Argument = CardBuffer | { readonly values: Float32Array; readonly size: Size };

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

  /** For what several kernels read. What one alone reads goes with its call. */
  upload(values: Float32Array, size: Size): Promise<CardBuffer> {
    return this.run("upload", copied, 1, size, [{ values, size }]);
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
