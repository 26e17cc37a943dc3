// The texts of the page, made from results without touching the page.
import type { KernelName } from "../../bench/shapes.ts";
import type { TargetName } from "../../bench/target.ts";
import type { Shape } from "../../tensor/tensor.ts";
import type { Adapter } from "./adapters.ts";
import type { Results, Speed } from "./results.ts";

export interface Notice {
  readonly sentence: string;
  readonly tone: "note" | "alarm";
}

export interface Machine {
  /** Whether the page is cross-origin isolated, so that its threads can share memory. */
  readonly isolated: boolean;
  readonly cores: number;
}

const note = (sentence: string): Notice => ({ sentence, tone: "note" });
const alarm = (sentence: string): Notice => ({ sentence, tone: "alarm" });

/** The number of threads and, if it is one, the reason. */
export function threadNotice({ isolated, cores }: Machine): Notice {
  if (!isolated)
    return note(
      "simd runs on one thread because this page is not cross-origin isolated, so that the browser does not share memory between threads. Open the page with “flamboyance inspect” to use all threads.",
    );
  if (cores === 1) return note("simd runs on one thread because this machine has one core.");
  return note(
    `simd runs on up to ${cores} threads; the page is cross-origin isolated, so they share memory.`,
  );
}

function instructionNotices({ matmul }: Results): Notice[] {
  const { mode } = matmul.find(({ backend }) => backend === "simd") ?? {};
  if (mode === "relaxed")
    return [note("simd uses a fused multiply-add: this browser supports relaxed SIMD.")];
  if (mode === "fixed")
    return [note("simd multiplies and adds separately: this browser does not support relaxed SIMD.")];
  return [];
}

const adapterNotice = ({ mode, name, software }: Adapter): Notice =>
  software
    ? alarm(`${mode} runs on a software adapter (${name}); its times say nothing about a graphics card.`)
    : note(`${mode} runs on ${name}.`);

/** The notices about the conditions of the measurement. */
export const noticesOf = (results: Results, machine: Machine, adapters: readonly Adapter[]): Notice[] => [
  threadNotice(machine),
  ...instructionNotices(results),
  ...adapters.map(adapterNotice),
  ...results.missing.map(({ backend, mode, why }) =>
    alarm(`${[backend, mode].filter(Boolean).join(" ")}: ${why}.`),
  ),
];

/** Three significant digits. */
export const short = (x: number): string => (x < 1000 ? x.toPrecision(3) : x.toFixed(0));

const INSTRUCTIONS: Readonly<Record<string, string>> = { relaxed: "fused", fixed: "plain" };

/** The two lines of a column's heading. */
export const headingOf = ({ backend, mode, threads }: TargetName): readonly [name: string, detail: string] =>
  backend === "simd"
    ? ["simd", `${INSTRUCTIONS[mode ?? ""] ?? mode}, ${threads === 1 ? "1 thread" : `${threads} threads`}`]
    : [mode ?? backend, "gpu.js"];

export interface Table {
  readonly headings: readonly (readonly [name: string, detail: string])[];
  readonly rows: readonly { readonly shape: Shape; readonly cells: readonly (Speed | undefined)[] }[];
}

/** A row for each shape and a column for each target, both in the order of measurement. */
export function tableOf(results: Results, kernel: KernelName): Table {
  const key = (speed: Speed): string => headingOf(speed).join();
  const headings = new Map(results[kernel].map((speed) => [key(speed), headingOf(speed)]));
  const shapes = new Map(results[kernel].map(({ shape }) => [shape.join(), shape]));
  const rows = [...shapes].map(([shape, numbers]) => ({
    shape: numbers,
    cells: [...headings.keys()].map((heading) =>
      results[kernel].find((speed) => key(speed) === heading && speed.shape.join() === shape),
    ),
  }));
  return { headings: [...headings.values()], rows };
}

/** The keys of `flamboyance bench --json`, and the browser and machine that were measured. */
export const jsonOf = (
  results: Results,
  machine: Machine,
  adapters: readonly Adapter[],
  browser: string,
): string => JSON.stringify({ browser, ...machine, adapters, ...results }, null, 2);
