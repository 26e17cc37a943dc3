// What was measured, as tables.

import type { Style } from "../terminal/colour.ts";
import type { ExampleTime } from "./example-process.ts";
import type { Rate } from "./rates.ts";
import type { Scaling } from "./scaling.ts";
import type { Start } from "./start.ts";

/** Other keys may come; these stay. */
export interface Measured {
  /** Of one thread. */
  peakGflops: number;
  matmul: Rate[];
  attention: Rate[];
  examples: ExampleTime[];
  scaling: Scaling[];
  start: Start[];
}

const wayOf = ({ backend, mode, threads }: Pick<Rate, "backend" | "mode" | "threads">): string =>
  [backend, mode, threads > 1 ? `${threads} threads` : "1 thread"].filter(Boolean).join(" ");

/** One line a shape, one column a backend. */
function rateTable(title: string, rates: readonly Rate[], style: Style): string {
  const ways = [...new Set(rates.map(wayOf))];
  const shapes = [...new Set(rates.map(({ shape }) => shape.join("×")))];
  const width = Math.max(title.length, ...shapes.map((shape) => shape.length));
  const lines = shapes.map((shape) => {
    const cells = ways.map((way) => {
      const rate = rates.find((r) => wayOf(r) === way && r.shape.join("×") === shape);
      return (rate ? rate.gflops.toFixed(1) : "–").padStart(way.length);
    });
    return [shape.padEnd(width), ...cells].join("   ");
  });
  return [style.faint([title.padEnd(width), ...ways].join("   ")), ...lines].join("\n");
}

const inSeconds = (seconds: number): string =>
  seconds < 1 ? `${(1000 * seconds).toFixed(0)} ms` : `${seconds.toFixed(2)} s`;

export function tables(found: Measured, style: Style): string {
  const { peakGflops, matmul, attention, examples, scaling, start } = found;
  const parts = [
    style.strong(`In registers, one thread: ${peakGflops.toFixed(0)} GFLOP/s`),
    matmul.length > 0 && rateTable("product, GFLOP/s", matmul, style),
    attention.length > 0 && rateTable("attention, GFLOP/s", attention, style),
    examples
      .map(
        (e) =>
          `${e.name.padEnd(28)} ${wayOf(e).padEnd(26)} ${inSeconds(e.seconds).padStart(8)}   ${(e.peakBytes / 2 ** 20).toFixed(0)} MiB`,
      )
      .join("\n"),
    scaling
      .map((g) => {
        const times = g.sizes.map((size, i) => `${size}: ${inSeconds(g.seconds[i] ?? NaN)}`).join(", ");
        return `${g.name} over ${g.over} (${times}): time grows as ${g.over}^${g.exponent.toFixed(2)}`;
      })
      .join("\n"),
    start.map((s) => `first result of a fresh process, ${wayOf(s)}: ${inSeconds(s.seconds)}`).join("\n"),
  ];
  return `${parts.filter(Boolean).join("\n\n")}\n`;
}
