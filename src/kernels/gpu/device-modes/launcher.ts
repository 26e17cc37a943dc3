// Runs kernels on a graphics card: prepares offset tables and masks, and frees temporary results.
import type { Mask } from "../../../tensor/ops/table.ts";
import type { Shape, View } from "../../../tensor/tensor.ts";
import { ConstantBuffers } from "./constant-buffers.ts";
import { DeviceBuffers } from "./device-buffers.ts";
import type { DeviceBuffer, DeviceKernel, GpuDevice, Numbers } from "./gpu-device.ts";
import { type Grid, type Layout, offsetsOf, table } from "./offset-tables.ts";

/** Registers a result to be freed when the surrounding `withTemporaries` ends. */
type Temporary = (result: Promise<View>) => Promise<View>;

/** A run of a kernel: its body, compile-time constants, the grid of its result, its operands, and its offset table. */
export interface Launch {
  readonly body: DeviceKernel;
  readonly constants: Numbers;
  readonly grid: Grid;
  readonly operands: readonly (View | DeviceBuffer)[];
  readonly table: DeviceBuffer;
}

/** A key that is equal for equal layouts. */
export const layoutKey = ({ shape, stride, offset }: Layout): string => `${shape};${stride};${offset}`;

export class Launcher {
  readonly device: GpuDevice;
  readonly buffers: DeviceBuffers;
  readonly constants: ConstantBuffers;
  /** The bytes of each mask when it was last uploaded. The caller may have changed its array since. */
  readonly #uploadedMasks = new WeakMap<Uint8Array, Uint8Array>();

  constructor(device: GpuDevice) {
    this.device = device;
    this.buffers = new DeviceBuffers(device);
    this.constants = new ConstantBuffers(device);
  }

  /** Runs a kernel and returns its result, row-major in the grid's shape. */
  async run({ body, constants, grid, operands, table }: Launch): Promise<View> {
    const inputs = operands.map((operand) => ("handle" in operand ? operand : this.buffers.buffer(operand)));
    return this.buffers.result(
      await this.device.run(body, constants, grid.size, [...inputs, table]),
      grid.shape,
    );
  }

  /** The table of these lists and numbers (see `table`), uploaded once for each key. */
  table(
    key: string,
    lists: () => readonly Int32Array[],
    numbers: readonly number[] = [],
  ): Promise<DeviceBuffer> {
    return this.constants.get(`${key} ${numbers}`, () => table(lists(), numbers));
  }

  /** The table of the z, y and x offsets of views that all have the grid's shape. */
  offsets(grid: Grid, views: readonly Layout[], numbers: readonly number[] = []): Promise<DeviceBuffer> {
    const key = ["offsets", ...views.map(layoutKey)].join(" ");
    return this.table(key, () => views.flatMap((v) => offsetsOf(grid, v)), numbers);
  }

  /** A mask's array as floats, uploaded again only if its bytes have changed. */
  mask({ data }: Mask): Promise<DeviceBuffer> {
    const uploaded = this.#uploadedMasks.get(data);
    const bytes = uploaded && data.every((byte, i) => byte === uploaded[i]) ? uploaded : data.slice();
    this.#uploadedMasks.set(data, bytes);
    return this.constants.get(bytes, () => Float32Array.from(bytes));
  }

  /** Runs `work` and then frees the temporaries that it registered, also if it fails. */
  async withTemporaries(work: (temporary: Temporary) => Promise<View>): Promise<View> {
    const views: View[] = [];
    const temporary: Temporary = async (result) => {
      const v = await result;
      views.push(v);
      return v;
    };
    try {
      return await work(temporary);
    } finally {
      for (const v of views) this.buffers.free(this.buffers.blockOf(v.data) ?? 0);
    }
  }
}

const ONE = Uint8Array.of(1);
/** A mask of ones, for an absent mask: a single byte, repeated along all axes. */
export const maskOfOnes = (shape: Shape): Mask => ({
  data: ONE,
  shape,
  stride: shape.map(() => 0),
  offset: 0,
});
