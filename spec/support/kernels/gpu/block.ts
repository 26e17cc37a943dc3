// Repeated runs of a gated block on a graphics card, with the number of transfers of each run.
import { GatedCrossAttentionBlock } from "../../../../src/blocks/gated-cross-attention-block.ts";
import type { deviceBackend } from "../../../../src/kernels/gpu/device-modes/backend.ts";
import type { GpuDevice } from "../../../../src/kernels/gpu/device-modes/gpu-device.ts";
import { reference } from "../../../../src/kernels/reference/index.ts";
import { replay } from "../../../../src/kernels/replay.ts";
import { stateDict } from "../../../../src/nn/state-dict.ts";
import type { Program } from "../../../../src/tensor/program/program.ts";
import { record } from "../../../../src/tensor/program/record.ts";
import { bool, flat, type Tensor } from "../../../../src/tensor/tensor.ts";
import { randomTensor } from "../../properties/arbitraries.ts";

/** A gated block with random weights on two images and six tokens; `size` multiplies its width and length. */
export function gatedBlock(size = 1): { block: GatedCrossAttentionBlock; program: Program } {
  const [dim, tokens] = [12 * size, 6 * size];
  const block = new GatedCrossAttentionBlock({ dim, dimHead: 4 * size, heads: 2 });
  for (const [i, [, t]] of [...stateDict(block)].entries()) t.assign(randomTensor(t.shape, i + 1).data);
  const x: Tensor<"b l d"> = randomTensor([2, tokens, dim], 101);
  const media: Tensor<"b m r e"> = randomTensor([2, 2, 3, dim], 102);
  const row = Array.from({ length: tokens }, (_, i) => i === 1 || i === 3);
  const mediaLocations = bool("b l", [row, row]);
  const forward = () => block.forward(x, media, { mediaLocations });
  return { block, program: record(forward, { model: block, inputs: { x, media }, symbolic: true }) };
}

export interface Transfers {
  readonly uploads: number;
  readonly downloads: number;
  readonly live: number;
}

/** The transfers of one run of a program, and the live buffers after it. */
export async function transfers({
  device,
  run,
}: {
  readonly device: GpuDevice;
  readonly run: () => Promise<unknown>;
}): Promise<Transfers> {
  const before = [device.uploads, device.downloads] as const;
  await run();
  return { uploads: device.uploads - before[0], downloads: device.downloads - before[1], live: device.live };
}

/** Three runs of the block, the number of its parameters, and the largest error of the last result. */
export async function blockRuns(backend: ReturnType<typeof deviceBackend>) {
  const { block, program } = gatedBlock();
  const runs: Transfers[] = [];
  let values: ArrayLike<number> = [];
  const { device } = backend.launcher;
  for (let i = 0; i < 3; i++)
    runs.push(
      await transfers({
        device,
        run: async () => {
          const { out } = (await replay(program, backend)).outputs;
          values = out ? flat(out.data) : [];
        },
      }),
    );
  const { out } = (await replay(program, reference("float32"))).outputs;
  const error = out
    ? Math.max(...Array.from(flat(out.data), (y, i) => Math.abs((values[i] ?? NaN) - y)))
    : NaN;
  return { runs, parameters: [...stateDict(block)].length, error };
}

/** Milliseconds of one run, the best of several, so that compilation and the upload of parameters are not included. */
export async function blockTime(backend: ReturnType<typeof deviceBackend>, size: number): Promise<number> {
  const { program } = gatedBlock(size);
  let best = Infinity;
  for (let i = 0; i < 12; i++) {
    const since = performance.now();
    await replay(program, backend);
    best = Math.min(best, performance.now() - since);
  }
  return best;
}
