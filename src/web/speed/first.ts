// The time to the first result: a tiny FlamingoPaLM with its image encoder, on the SIMD kernels.
import { now } from "#host";
import { tinyFlamingo } from "../../bench/examples.ts";
import type { Backend } from "../../kernels/backend.ts";
import { run } from "../../kernels/replay.ts";
import { simd } from "../../kernels/simd/index.ts";
import type { FirstResult } from "./results.ts";

/** `load`: the milliseconds that loading this script took. */
export async function firstResult(
  load: number,
  open: () => Promise<Backend> = simd,
  clock: () => number = now,
): Promise<FirstResult> {
  const begun = clock();
  const backend = await open();
  try {
    const compiled = clock();
    const { model, forward } = tinyFlamingo();
    const built = clock();
    await run(backend, forward, { model });
    const ran = clock();
    await run(backend, forward, { model });
    const again = clock() - ran;
    return { load, compile: compiled - begun, build: built - compiled, run: ran - built, again };
  } finally {
    await backend.close();
  }
}
