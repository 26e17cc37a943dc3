// What every op on a card needs: its operands' places, the kernel's run, and what it borrows on the way.
import type { Mask } from "../../../tensor/ops/table.ts";
import type { Shape, Strided, View } from "../../../tensor/tensor.ts";
import { Constants } from "./constant-buffers.ts";
import { DeviceBuffers } from "./device-buffers.ts";
import type { DeviceBuffer, DeviceKernel, GpuDevice, Numbers } from "./gpu-device.ts";
import { columns, type Grid, offsetsOf } from "./offset-tables.ts";

type Placed = Omit<Strided<unknown>, "data">;
type Borrow = (made: Promise<View>) => Promise<View>;

/** A kernel, the numbers that are fixed in it, its cells, and what it reads. */
export interface Launch {
  readonly body: DeviceKernel;
  readonly constants: Numbers;
  readonly grid: Grid;
  readonly reads: readonly (View | DeviceBuffer)[];
  readonly at: DeviceBuffer;
}

const told = ({ shape, stride, offset }: Placed): string => `${shape};${stride};${offset}`;

export class Launcher {
  readonly device: GpuDevice;
  readonly buffers: DeviceBuffers;
  readonly constants: Constants;
  /** Masks' bytes as they were uploaded: who has a mask's array may write in it. */
  readonly #masks = new WeakMap<Uint8Array, Uint8Array>();

  constructor(device: GpuDevice) {
    this.device = device;
    this.buffers = new DeviceBuffers(device);
    this.constants = new Constants(device);
  }

  /** The result of a kernel, of the grid's shape. */
  async run({ body, constants, grid, reads, at }: Launch): Promise<View> {
    const inputs = reads.map((read) => ("handle" in read ? read : this.buffers.buffer(read)));
    return this.buffers.result(
      await this.device.run(body, constants, grid.size, [...inputs, at]),
      grid.shape,
    );
  }

  /** Columns of offsets, uploaded once for all that `key` describes. */
  columns(
    key: string,
    lists: () => readonly Int32Array[],
    numbers: readonly number[] = [],
  ): Promise<DeviceBuffer> {
    return this.constants.get(`${key} ${numbers}`, () => columns(lists(), numbers));
  }

  /** Columns z, y and x of views that all have the grid's shape. */
  offsets(grid: Grid, views: readonly Placed[], numbers: readonly number[] = []): Promise<DeviceBuffer> {
    const key = ["places", ...views.map(told)].join(" ");
    return this.columns(key, () => views.flatMap((v) => offsetsOf(grid, v)), numbers);
  }

  /** A mask's bytes as floats. Without a mask, a single one that is read again and again. */
  mask({ data }: Mask): Promise<DeviceBuffer> {
    const known = this.#masks.get(data);
    const bytes = known && data.every((byte, i) => byte === known[i]) ? known : data.slice();
    this.#masks.set(data, bytes);
    return this.constants.get(bytes, () => Float32Array.from(bytes));
  }

  /** Frees at its end what `work` borrowed, also when it fails. */
  async within(work: (borrow: Borrow) => Promise<View>): Promise<View> {
    const borrowed: View[] = [];
    const borrow: Borrow = async (made) => {
      const v = await made;
      borrowed.push(v);
      return v;
    };
    try {
      return await work(borrow);
    } finally {
      for (const v of borrowed) this.buffers.free(this.buffers.blockOf(v.data) ?? 0);
    }
  }
}

const ONE = Uint8Array.of(1);
/** Everything may: one byte, repeated. */
export const allOf = (shape: Shape): Mask => ({ data: ONE, shape, stride: shape.map(() => 0), offset: 0 });
