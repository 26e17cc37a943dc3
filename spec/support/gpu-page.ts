// What a page does to check gpu.js in the modes of a graphics card: golden cases, and single products and attentions.
import { checkCase } from "../../src/conformance/check-case.ts";
import type { Verdict } from "../../src/conformance/verdict.ts";
import { mount, unmount } from "../../src/host/browser.ts";
import { readCase } from "../../src/io/cases.ts";
import type { Backend } from "../../src/kernels/backend.ts";
import { Card, type CardMode } from "../../src/kernels/gpu/card.ts";
import { cardAttention, cardMatmul } from "../../src/kernels/gpu/card-ops.ts";
import { gpu } from "../../src/kernels/gpu/index.ts";
import { dense } from "../../src/kernels/gpu/matrices.ts";
import type { EmptyRow } from "../../src/tensor/ops.ts";

export type Numbers = readonly number[];
const floats = (numbers: Numbers): Float32Array => Float32Array.from(numbers);
/** NaN and the infinities do not survive JSON. */
const plain = (values: Float32Array): (number | string)[] =>
  Array.from(values, (x) => (Number.isFinite(x) ? x : String(x)));

let backend: Promise<Backend> | undefined;
let card: Promise<Card> | undefined;
const opened = (mode: CardMode): Promise<Card> => {
  card ??= Card.open(mode);
  return card;
};

/** Checks the case in a folder that holds these files. */
export async function checkFolder(
  mode: CardMode,
  folder: string,
  files: readonly string[],
): Promise<Verdict> {
  backend ??= gpu({ mode });
  const fetched = files.map(async (file) => {
    const answer = await fetch(`/${folder}/${file}`);
    return [`${folder}/${file}`, await answer.arrayBuffer()] as const;
  });
  await mount(await Promise.all(fetched));
  try {
    return await checkCase(readCase(folder), await backend);
  } finally {
    unmount(folder);
  }
}

export async function product(
  mode: CardMode,
  [batch, m, k, n]: readonly [number, number, number, number],
  a: Numbers,
  b: Numbers,
) {
  const made = await opened(mode);
  const c = await cardMatmul(made, dense(floats(a), batch, m, k), dense(floats(b), batch, k, n));
  return { values: plain(c), live: made.live };
}

export interface Attention {
  /** null stands for NaN. */
  readonly q: readonly (number | null)[];
  readonly k: readonly (number | null)[];
  readonly v: readonly (number | null)[];
  readonly size: readonly [z: number, l: number, s: number, d: number, e: number];
  readonly may: Numbers | null;
  readonly loud: Numbers | null;
  readonly emptyRow: EmptyRow;
}

export async function attend(mode: CardMode, { size: [z, l, s, d, e], may, loud, ...rest }: Attention) {
  const made = await opened(mode);
  const values = (numbers: readonly (number | null)[]) => floats(numbers.map((x) => x ?? NaN));
  const mask = (bits: Numbers | null, stride: readonly number[]) =>
    bits && { data: Uint8Array.from(bits), shape: [z, l, s], stride, offset: 0 };
  const out = await cardAttention(
    made,
    {
      q: dense(values(rest.q), z, l, d),
      k: dense(values(rest.k), z, s, d),
      v: dense(values(rest.v), z, s, e),
    },
    { emptyRow: rest.emptyRow, mayAttend: mask(may, [0, s, 1]), heard: mask(loud, [0, 1, 0]) },
  );
  return { values: plain(out), live: made.live };
}

/** Billions of operations a second, copying to the card and back included: of a product n × n × n, and of attention with 8 heads of width 64. */
export async function rates(mode: CardMode, n: number, runs = 3) {
  const made = await opened(mode);
  const values = (length: number) => Float32Array.from({ length }, (_, i) => Math.sin(i));
  const square = dense(values(n * n), 1, n, n);
  const heads = dense(values(8 * n * 64), 8, n, 64);
  const attrs = { mayAttend: null, emptyRow: "zero", heard: null } as const;
  const rate = async (operations: number, work: () => Promise<unknown>) => {
    await work();
    const since = performance.now();
    for (let i = 0; i < runs; i++) await work();
    return (operations * runs) / (1e6 * (performance.now() - since));
  };
  return {
    n,
    matmul: await rate(2 * n ** 3, () => cardMatmul(made, square, square)),
    attention: await rate(4 * 8 * n * n * 64, () =>
      cardAttention(made, { q: heads, k: heads, v: heads }, attrs),
    ),
  };
}
