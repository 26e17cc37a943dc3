// The elements of the page that show results.
import type { KernelName } from "../../bench/shapes.ts";
import { h } from "../shared/dom.ts";
import type { FirstResult, Results, Speed } from "./results.ts";
import { type Notice, short, tableOf } from "./text.ts";

/** A table in a frame that scrolls by itself where the page is narrow. */
const framed = (caption: string, ...parts: readonly HTMLElement[]): HTMLElement =>
  h(
    "section.card.numbers",
    { tabindex: 0, "aria-label": caption },
    h("table", {}, h("caption", {}, h("h2", {}, caption)), ...parts),
  );

const cell = (speed: Speed | undefined): HTMLElement =>
  speed
    ? h("td", {}, h("b", {}, short(speed.gflops)), h("small", {}, `${short(speed.milliseconds)} ms`))
    : h("td", {}, "–");

const TITLES: Readonly<Record<KernelName, readonly [title: string, axes: string]>> = {
  matmul: ["Matrix product, GFLOP/s", "m × k × n"],
  attention: ["Attention, GFLOP/s", "heads × queries × keys × width"],
};

function rateTable(results: Results, kernel: KernelName): HTMLElement | null {
  const { headings, rows } = tableOf(results, kernel);
  const [title, axes] = TITLES[kernel];
  if (rows.length === 0) return null;
  const heads = headings.map(([name, detail]) => h("th", { scope: "col" }, name, h("small", {}, detail)));
  return framed(
    title,
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, h("small", {}, axes)), ...heads)),
    h(
      "tbody",
      {},
      ...rows.map(({ shape, cells }) =>
        h("tr", {}, h("th", { scope: "row" }, shape.join(" × ")), ...cells.map(cell)),
      ),
    ),
  );
}

const STEPS: readonly (readonly [keyof FirstResult, string, string])[] = [
  ["load", "Load", "the script with the kernels"],
  ["compile", "Compile", "WebAssembly to machine code"],
  ["build", "Build", "the model and its inputs, drawn at random"],
  ["run", "Run", "sixteen tokens and one image, for the first time"],
  ["again", "Run again", ""],
];

const firstTable = (first: FirstResult): HTMLElement =>
  framed(
    "First result of a tiny FlamingoPaLM",
    h(
      "tbody",
      {},
      ...STEPS.map(([key, title, detail]) =>
        h(
          "tr",
          {},
          h("th", { scope: "row" }, title, h("small", {}, detail)),
          h("td", {}, `${short(first[key])} ms`),
        ),
      ),
    ),
  );

const peak = (gflops: number): HTMLElement =>
  h(
    "p.card.peak",
    {},
    h("b", {}, `${short(gflops)} GFLOP/s`),
    " is the peak of one thread, measured in a loop of multiply-adds that reads no memory. No WebAssembly kernel is faster on one thread.",
  );

/** The results so far. */
export const results = (results: Results): HTMLElement[] =>
  [
    results.peakGflops === null ? null : peak(results.peakGflops),
    rateTable(results, "matmul"),
    rateTable(results, "attention"),
    results.first && firstTable(results.first),
  ].filter((element) => element !== null);

export const notices = (all: readonly Notice[]): HTMLElement[] =>
  all.map(({ sentence, tone }) => h(`li.${tone}`, {}, sentence));
