// The fastest rate that one thread reaches here: a WebAssembly loop that multiplies and adds in registers and touches no memory.
// No kernel in WebAssembly can be faster, so a kernel's rate says how much of the machine it uses.

const MUL = [0xfd, 0xe6, 0x01];
const ADD = [0xfd, 0xe4, 0x01];
const RELAXED_MADD = [0xfd, 0x85, 0x02];
const SPLAT = [0xfd, 0x13];
const UNROLLED = 2;

const GET = 0x20;
const SET = 0x21;

function leb(n: number): number[] {
  return n < 128 ? [n] : [(n & 127) | 128, ...leb(n >>> 7)];
}
const float = (x: number): number[] => [0x43, ...new Uint8Array(Float32Array.of(x).buffer)];
const section = (id: number, content: readonly number[]): number[] => [
  id,
  ...leb(content.length),
  ...content,
];

/**
 * (loops: i32) -> f32: `sums` vectors of four, each becoming itself · x + y, twice a loop. Enough of them that none waits for
 * its own last result; few enough that all stay in registers.
 */
export function spinner(sums: number, fused: boolean): Uint8Array<ArrayBuffer> {
  const [x, y] = [1, 2];
  const first = 3;
  const locals = Array.from({ length: sums }, (_, i) => first + i);
  const start = locals.flatMap((at, i) => [...float(1 + i / 16), ...SPLAT, SET, at]);
  const step = locals.flatMap((at) =>
    fused
      ? [GET, at, GET, x, GET, y, ...RELAXED_MADD, SET, at]
      : [GET, at, GET, x, ...MUL, GET, y, ...ADD, SET, at],
  );
  const body = [
    ...[1, sums + 2, 0x7b], // locals of type v128
    ...[...float(0.999), ...SPLAT, SET, x, ...float(0.001), ...SPLAT, SET, y],
    ...start,
    ...[0x03, 0x40], // loop
    ...Array.from({ length: UNROLLED }, () => step).flat(),
    ...[GET, 0, 0x41, 1, 0x6b, 0x22, 0, 0x0d, 0, 0x0b], // one less; again unless none is left
    ...locals.flatMap((at, i) => [GET, at, ...(i > 0 ? ADD : [])]),
    ...[0xfd, 0x1f, 0, 0x0b], // the first of the four
  ];
  return Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [1, 0x60, 1, 0x7f, 1, 0x7d]),
    ...section(3, [1, 0]),
    ...section(7, [1, 4, ...new TextEncoder().encode("spin"), 0, 0]),
    ...section(10, [1, ...leb(body.length), ...body]),
  ]);
}

type Spin = (loops: number) => number;

/** Billions of operations a second, the best of what was tried. */
export function peakGflops(loops = 2_000_000, clock: () => number = () => performance.now()): number {
  let best = 0;
  for (const fused of [false, true])
    for (const sums of [8, 10, 12, 13]) {
      const bytes = spinner(sums, fused);
      if (!WebAssembly.validate(bytes)) continue; // no relaxed SIMD in this engine
      const { spin } = new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports as { spin: Spin };
      spin(loops >> 3);
      for (let again = 0; again < 3; again++) {
        const since = clock();
        spin(loops);
        const operations = loops * UNROLLED * sums * 8;
        best = Math.max(best, operations / (1e6 * (clock() - since)));
      }
    }
  return best;
}
