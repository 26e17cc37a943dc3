// The script of a page that checks gpu.js in the modes of a graphics card: golden cases, single ops, and timings.

import { kernels } from "../../../../src/bench/rates.ts";
import { checkCase } from "../../../../src/conformance/cases/check-case.ts";
import type { CaseVerdict } from "../../../../src/conformance/cases/verdict.ts";
import { mount, unmount } from "../../../../src/host/browser.ts";
import { readCase } from "../../../../src/io/golden/cases.ts";
import { deviceBackend } from "../../../../src/kernels/gpu/device-modes/backend.ts";
import { type DeviceMode, GpuDevice } from "../../../../src/kernels/gpu/device-modes/gpu-device.ts";
import { unary } from "../../../../src/kernels/gpu/device-modes/ops/elementwise.ts";
import { einsum } from "../../../../src/kernels/gpu/device-modes/ops/products.ts";
import { ndArray } from "../../../../src/tensor/ops/elementwise.ts";
import { flat, view } from "../../../../src/tensor/tensor.ts";
import type { AttentionCase } from "../../oracles/attention.ts";
import { blockRuns, blockTime } from "./block.ts";
import { type ExampleRun, exampleError, examplesOf, FUNCTION_NAMES, functionError } from "./elementwise.ts";
import { attendOn, computed, type Numbers, productOn, sumWithStride } from "./ops.ts";

/** NaN and infinities as strings, because JSON has no numbers for them. */
const plain = (values: Iterable<number>): (number | string)[] =>
  Array.from(values, (x) => (Number.isFinite(x) ? x : String(x)));

let backend: Promise<ReturnType<typeof deviceBackend>> | undefined;
const opened = (mode: DeviceMode): Promise<ReturnType<typeof deviceBackend>> => {
  backend ??= GpuDevice.open(mode).then(deviceBackend);
  return backend;
};

/** Checks the golden case in a folder with these files. */
export async function checkFolder(
  mode: DeviceMode,
  folder: string,
  files: readonly string[],
): Promise<CaseVerdict & { left: number }> {
  const fetched = files.map(async (file) => {
    const response = await fetch(`/${folder}/${file}`);
    return [`${folder}/${file}`, await response.arrayBuffer()] as const;
  });
  await mount(await Promise.all(fetched));
  const backend = await opened(mode);
  try {
    const verdict = await checkCase(readCase(folder), backend);
    return { ...verdict, left: backend.launcher.buffers.blocks };
  } finally {
    unmount(folder);
  }
}

export async function product(
  mode: DeviceMode,
  size: readonly [number, number, number, number],
  a: Numbers,
  b: Numbers,
) {
  const { launcher } = await opened(mode);
  return { values: plain(await productOn(launcher, size, a, b)), left: launcher.buffers.blocks };
}

/** `most` sums 1 + 1, each with a kernel of its own; then the result of a kernel that ran before all of them. */
export async function strides(mode: DeviceMode, most: number): Promise<number[]> {
  const { launcher } = await opened(mode);
  const first = view(Float32Array.of(1), [1, 1]);
  const held = await launcher.buffers.upload(first);
  const kept = await einsum(launcher, "i p, p j -> i j", held, held);
  const sums: number[] = [];
  for (let n = 1; n <= most; n++) sums.push(await sumWithStride(launcher, n));
  const { buffers } = launcher;
  sums.push(...flat(await buffers.download(kept)));
  for (const v of [held, kept]) buffers.free(buffers.blockOf(v.data) ?? 0);
  return sums;
}

/** null stands for NaN. */
type Json = readonly (number | null)[];

export async function attend(
  mode: DeviceMode,
  {
    q,
    k,
    v,
    ...rest
  }: Omit<AttentionCase, "q" | "k" | "v"> & { readonly q: Json; readonly k: Json; readonly v: Json },
) {
  const { launcher } = await opened(mode);
  const numbers = (values: Json): Numbers => values.map((x) => x ?? NaN);
  const out = await attendOn(launcher, { ...rest, q: numbers(q), k: numbers(k), v: numbers(v) });
  return { values: plain(out), left: launcher.buffers.blocks };
}

/** Rows of the table of examples whose ops have kernels. */
export const examples = async (mode: DeviceMode): Promise<number[]> => examplesOf(await opened(mode));

/** The error of each example. */
export async function errors(mode: DeviceMode, runs: readonly ExampleRun[]): Promise<number[]> {
  const backend = await opened(mode);
  const errors: number[] = [];
  for (const example of runs) errors.push(await exampleError(backend, example));
  return errors;
}

/** The errors of functions of one number, relative to the allowed error. */
export async function functions(mode: DeviceMode): Promise<[string, number][]> {
  const backend = await opened(mode);
  const errors: [string, number][] = [];
  for (const name of FUNCTION_NAMES) errors.push([name, await functionError(backend, name)]);
  return errors;
}

export const block = async (mode: DeviceMode) => blockRuns(await opened(mode));
export const time = async (mode: DeviceMode, size: number) => blockTime(await opened(mode), size);

/** The number of wrong elements after negating the transpose of a large array. */
export async function misplaced(mode: DeviceMode, rows: number, columns: number): Promise<number> {
  const { launcher } = await opened(mode);
  const of = (i: number) => i % 997;
  const x = view(
    Float32Array.from({ length: rows * columns }, (_, i) => of(i)),
    [rows, columns],
  );
  const flipped = await computed(launcher, [x], (v) => unary(launcher, "neg", ndArray(v).transpose(1, 0)));
  let wrong = 0;
  for (let j = 0, at = 0; j < columns; j++)
    for (let i = 0; i < rows; i++, at++) if (flipped[at] !== -of(i * columns + j)) wrong++;
  return wrong;
}

/** GFLOP/s, transfers included, of a product n × n × n and of attention with 8 heads of width 64. */
export async function rates(mode: DeviceMode, n: number) {
  const backend = await opened(mode);
  const timing = { runs: 3, seconds: 0 };
  return {
    n,
    matmul: await kernels.matmul.rate(backend, [n, n, n], timing),
    attention: await kernels.attention.rate(backend, [8, n, n, 64], timing),
  };
}
