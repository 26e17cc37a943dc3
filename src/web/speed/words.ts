// What the page says of a browser and of what was measured. Pure, so that it can be tested without a page.
import type { Shape } from "../../tensor/tensor.ts";
import type { Warning } from "../masks/warnings.ts";
import type { Adapter } from "./adapters.ts";
import type { Part, Speed, Speeds } from "./speeds.ts";

export type Said = Pick<Warning, "sentence" | "tone">;

export interface Machine {
  /** Does the browser let this page's threads share memory? */
  readonly isolated: boolean;
  readonly cores: number;
}

const DIALECTS: Readonly<Record<string, string>> = { relaxed: "fused", fixed: "plain" };

const note = (sentence: string): Said => ({ sentence, tone: "note" });
const alarm = (sentence: string): Said => ({ sentence, tone: "alarm" });

/** How many threads there are and, if one, why. */
export function threadsIn({ isolated, cores }: Machine): Said {
  if (!isolated)
    return note(
      "simd runs on one thread: this page is not cross-origin isolated, so the browser does not share memory between threads. Served by “flamboyance inspect” it is.",
    );
  if (cores === 1) return note("simd runs on one thread: there is one core.");
  return note(
    `simd runs on up to ${cores} threads: this page is cross-origin isolated, and they share memory.`,
  );
}

const kindIn = ({ matmul }: Speeds): Said[] => {
  const { mode } = matmul.find(({ backend }) => backend === "simd") ?? {};
  if (mode === "relaxed")
    return [note("simd multiplies and adds in one fused instruction: this browser has relaxed SIMD.")];
  if (mode === "fixed")
    return [note("simd multiplies, then adds: this browser has no relaxed SIMD, which fuses the two.")];
  return [];
};

const cardIn = ({ mode, name, software }: Adapter): Said =>
  software
    ? alarm(`${mode} runs on a software adapter (${name}): its times say nothing about a graphics card.`)
    : note(`${mode} runs on ${name}.`);

/** All that is worth knowing beside the numbers. */
export const saidOf = (found: Speeds, machine: Machine, adapters: readonly Adapter[]): Said[] => [
  threadsIn(machine),
  ...kindIn(found),
  ...adapters.map(cardIn),
  ...found.missing.map(({ backend, mode, why }) =>
    alarm(`${[backend, mode].filter(Boolean).join(" ")}: ${why}.`),
  ),
];

/** Three digits that count. */
export const short = (x: number): string => (x < 1000 ? x.toPrecision(3) : x.toFixed(0));

export const wayOf = ({ backend, mode, threads }: Speed): readonly [name: string, how: string] =>
  backend === "simd"
    ? ["simd", `${DIALECTS[mode ?? ""] ?? mode}, ${threads === 1 ? "1 thread" : `${threads} threads`}`]
    : [mode ?? backend, "gpu.js"];

export interface Table {
  readonly ways: readonly (readonly [name: string, how: string])[];
  readonly rows: readonly { readonly shape: Shape; readonly cells: readonly (Speed | undefined)[] }[];
}

/** A row a shape, a column a way, both in the order in which they came. */
export function tableOf(found: Speeds, part: Part): Table {
  const key = (speed: Speed): string => wayOf(speed).join();
  const ways = new Map(found[part].map((speed) => [key(speed), wayOf(speed)]));
  const shapes = new Map(found[part].map(({ shape }) => [shape.join(), shape]));
  const rows = [...shapes].map(([shape, numbers]) => ({
    shape: numbers,
    cells: [...ways.keys()].map((way) =>
      found[part].find((speed) => key(speed) === way && speed.shape.join() === shape),
    ),
  }));
  return { ways: [...ways.values()], rows };
}

/** One document: the keys of `flamboyance bench --json`, and where it was measured. */
export const jsonOf = (
  found: Speeds,
  machine: Machine,
  adapters: readonly Adapter[],
  browser: string,
): string => JSON.stringify({ browser, ...machine, adapters, ...found }, null, 2);
