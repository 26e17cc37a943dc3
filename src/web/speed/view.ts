// The page's elements: what can be chosen, how far it is, and the numbers.
import { h } from "../shared/dom.ts";
import type { First, Part, Speed, Speeds } from "./speeds.ts";
import { type Said, short, tableOf } from "./words.ts";

/** Scrolls by itself where the page is narrow. */
const framed = (caption: string, ...parts: readonly HTMLElement[]): HTMLElement =>
  h(
    "section.device.numbers",
    { tabindex: 0, "aria-label": caption },
    h("table", {}, h("caption", {}, h("h2", {}, caption)), ...parts),
  );

const cell = (speed: Speed | undefined): HTMLElement =>
  speed
    ? h("td", {}, h("b", {}, short(speed.gflops)), h("small", {}, `${short(speed.milliseconds)} ms`))
    : h("td", {}, "–");

const titles: Readonly<Record<Part, readonly [title: string, axes: string]>> = {
  matmul: ["Matrix product, GFLOP/s", "m × k × n"],
  attention: ["Attention, GFLOP/s", "heads × queries × keys × width"],
};

function rates(found: Speeds, part: Part): HTMLElement | null {
  const { ways, rows } = tableOf(found, part);
  const [title, axes] = titles[part];
  if (rows.length === 0) return null;
  const heads = ways.map(([name, how]) => h("th", { scope: "col" }, name, h("small", {}, how)));
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

const STEPS: readonly (readonly [keyof First, string, string])[] = [
  ["load", "Load", "the script with the kernels"],
  ["compile", "Compile", "WebAssembly to machine code"],
  ["build", "Build", "the model and what it is given, drawn at random"],
  ["run", "Run", "sixteen tokens and an image, for the first time"],
  ["again", "Run again", ""],
];

const firstTable = (first: First): HTMLElement =>
  framed(
    "First result of a tiny FlamingoPaLM",
    h(
      "tbody",
      {},
      ...STEPS.map(([key, title, what]) =>
        h(
          "tr",
          {},
          h("th", { scope: "row" }, title, h("small", {}, what)),
          h("td", {}, `${short(first[key])} ms`),
        ),
      ),
    ),
  );

const registers = (gflops: number): HTMLElement =>
  h(
    "p.device.registers",
    {},
    h("b", {}, `${short(gflops)} GFLOP/s`),
    " in registers: the most that one thread reaches here, in a loop that touches no memory. No kernel in WebAssembly is faster on one thread.",
  );

/** The numbers that there are. */
export const results = (found: Speeds): HTMLElement[] =>
  [
    found.registerGflops === null ? null : registers(found.registerGflops),
    rates(found, "matmul"),
    rates(found, "attention"),
    found.first && firstTable(found.first),
  ].filter((element) => element !== null);

export const notices = (said: readonly Said[]): HTMLElement[] =>
  said.map(({ sentence, tone }) => h(`li.${tone}`, {}, sentence));
