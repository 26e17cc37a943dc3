// The results of `flamboyance bench` as text.
import type { Paint } from "../terminal/colour.ts";
import { columnsFrom, table, tables } from "../terminal/table.ts";
import type { DecodeSpeed } from "./decoders/decode.ts";
import type { MemoryUse } from "./decoders/memory.ts";
import type { PretrainedSpeed } from "./decoders/pretrained.ts";
import type { ExampleTime } from "./example-process.ts";
import type { Rate } from "./rates.ts";
import type { Scaling } from "./scaling.ts";
import type { Start } from "./start.ts";
import type { TargetName } from "./target.ts";

/** The document of --json. */
export interface Results {
  /** Of one thread. */
  peakGflops: number;
  matmul: Rate[];
  attention: Rate[];
  examples: ExampleTime[];
  scaling: Scaling[];
  start: Start[];
  memory: MemoryUse[];
  decode: DecodeSpeed[];
  languageModel: PretrainedSpeed[];
}

const threadsOf = (threads: number): string => (threads === 1 ? "1 thread" : `${threads} threads`);
const shapeOf = (shape: readonly number[]): string => shape.join("×");
const nameOf = ({ backend, mode, threads }: TargetName): string =>
  [backend, mode, threadsOf(threads)].filter(Boolean).join(" ");

export const duration = (seconds: number): string =>
  seconds < 1 ? `${(1000 * seconds).toFixed(0)} ms` : `${seconds.toFixed(2)} s`;
export const mebibytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(0)} MiB`;

/** The distinct values of a key, in the order of their first appearance. */
const distinct = <T>(items: readonly T[], key: (item: T) => string): string[] => [...new Set(items.map(key))];

/** A row for each shape and a column for each target. */
function rateTable(title: string, rates: readonly Rate[], paint: Paint, width: number): string[] {
  const targets = distinct(rates, nameOf);
  const rows = distinct(rates, ({ shape }) => shapeOf(shape)).map((shape) => [
    shape,
    ...targets.map((target) => {
      const rate = rates.find((r) => nameOf(r) === target && shapeOf(r.shape) === shape);
      return rate?.gflops.toFixed(1) ?? "–";
    }),
  ]);
  const heads = rates.flatMap((rate, i) =>
    rates.findIndex((r) => nameOf(r) === nameOf(rate)) === i
      ? [
          {
            head: [rate.backend, rate.mode ?? "", threadsOf(rate.threads)].filter(Boolean),
            align: "right",
          } as const,
        ]
      : [],
  );
  return tables(columnsFrom([{ head: [title] }, ...heads], rows), paint, width);
}

const exampleTable = (examples: readonly ExampleTime[], paint: Paint): string[] =>
  table(
    columnsFrom(
      [
        { head: ["example"] },
        { head: ["backend"] },
        { head: ["time"], align: "right" },
        { head: ["memory"], align: "right" },
      ],
      examples.map((e) => [e.name, nameOf(e), duration(e.seconds), mebibytes(e.peakBytes)]),
    ),
    paint,
  );

const scalingTable = (scaling: readonly Scaling[], paint: Paint): string[] =>
  table(
    columnsFrom(
      [
        { head: ["growth of time"] },
        { head: ["over"] },
        { head: ["from"], align: "right" },
        { head: ["to"], align: "right" },
        { head: ["exponent"], align: "right" },
      ],
      scaling.map(({ name, over, sizes, seconds, exponent }) => {
        const at = (i: number): string => `${sizes.at(i)}: ${duration(seconds.at(i) ?? NaN)}`;
        return [name, over, at(0), at(-1), exponent.toFixed(2)];
      }),
    ),
    paint,
  );

const startTable = (start: readonly Start[], paint: Paint): string[] =>
  table(
    columnsFrom(
      [{ head: ["first result of a new process"] }, { head: ["time"], align: "right" }],
      start.map((s) => [nameOf(s), duration(s.seconds)]),
    ),
    paint,
  );

const memoryTable = (memory: readonly MemoryUse[], paint: Paint): string[] =>
  table(
    columnsFrom(
      [
        { head: ["decoder with random weights"] },
        { head: ["backend"] },
        { head: ["first pass"], align: "right" },
        { head: ["one token"], align: "right" },
        { head: ["memory"], align: "right" },
        { head: ["in arrays"], align: "right" },
      ],
      memory.map((use) => [
        `${(use.parameters / 1e9).toFixed(3)} × 10⁹ ${use.weights}, ${use.tokens} tokens`,
        nameOf(use),
        duration(use.firstSeconds),
        duration(use.tokenSeconds),
        mebibytes(use.peakBytes),
        mebibytes(use.arrayBytes),
      ]),
    ),
    paint,
  );

const decodeTable = (speeds: readonly DecodeSpeed[], paint: Paint): string[] =>
  table(
    columnsFrom(
      [
        { head: ["decoding"] },
        { head: ["backend"] },
        { head: ["tokens/s"], align: "right" },
        { head: ["limit"], align: "right" },
        { head: ["overhead"], align: "right" },
      ],
      speeds.map((speed) => [
        `${speed.layers} layers of width ${speed.width}, ${speed.cached} cached`,
        nameOf(speed),
        speed.tokensPerSecond.toFixed(1),
        speed.bandwidthLimit?.toFixed(1) ?? "–",
        duration(speed.overheadMs / 1000),
      ]),
    ),
    paint,
  );

/** A row for each figure, beside what the machine allows. */
const languageModelTable = (speed: PretrainedSpeed, paint: Paint): string[] =>
  table(
    columnsFrom(
      [
        { head: [speed.model] },
        { head: [nameOf(speed)], align: "right" },
        { head: ["processor time"], align: "right" },
        { head: ["limit"], align: "right" },
      ],
      [
        [
          `reading ${speed.tokens} tokens`,
          duration(speed.prefillSeconds),
          duration(speed.prefillProcessorSeconds),
          `${duration(speed.prefillLimit)} at the peak of all threads`,
        ],
        [
          "decoding",
          `${speed.tokensPerSecond.toFixed(1)} tokens/s`,
          `${duration(speed.tokenProcessorSeconds)} a token`,
          `${speed.bandwidthLimit?.toFixed(1) ?? "–"} tokens/s, of the memory`,
        ],
        ["peak memory", mebibytes(speed.peakBytes), "", `${mebibytes(speed.weightBytes)} of weights`],
        [
          "first token of a process",
          speed.firstTokenSeconds === null ? "–" : duration(speed.firstTokenSeconds),
          "",
          "",
        ],
      ],
    ),
    paint,
  );

export function resultTables(results: Results, paint: Paint, width = 80): string {
  const { peakGflops, matmul, attention, examples, scaling, start, memory, decode, languageModel } = results;
  const parts = [
    [paint(`Peak of one thread: ${peakGflops.toFixed(0)} GFLOP/s`, "strong")],
    matmul.length > 0 ? rateTable("matrix product, GFLOP/s", matmul, paint, width) : [],
    attention.length > 0 ? rateTable("attention, GFLOP/s", attention, paint, width) : [],
    examples.length > 0 ? exampleTable(examples, paint) : [],
    scaling.length > 0 ? scalingTable(scaling, paint) : [],
    start.length > 0 ? startTable(start, paint) : [],
    memory.length > 0 ? memoryTable(memory, paint) : [],
    decode.length > 0 ? decodeTable(decode, paint) : [],
    ...languageModel.map((speed) => languageModelTable(speed, paint)),
  ].filter((part) => part.length > 0);
  return `${parts.map((lines) => lines.join("\n")).join("\n\n")}\n`;
}
