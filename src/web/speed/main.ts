// The page that measures: what can be chosen, a button, and what was found. Nothing happens before the button asks for it.
import type { Target } from "../../bench/target.ts";
import { copied, quiet } from "../shared/clipboard.ts";
import { h } from "../shared/dom.ts";
import { type Adapter, adapterFor, DEVICE_MODES, type DeviceMode } from "./adapters.ts";
import { scripted } from "./scripts.ts";
import { messageOf, nothingYet } from "./speeds.ts";
import { notices, results } from "./view.ts";
import { jsonOf, type Machine, saidOf } from "./words.ts";

const machine: Machine = { isolated: globalThis.crossOriginIsolated, cores: navigator.hardwareConcurrency };
const TITLES = {
  simd: ["simd", "WebAssembly"],
  webgl2: ["gpu.js on WebGL 2", "loads 0.7 MB"],
  webgpu: ["gpu.js on WebGPU", "loads 0.7 MB"],
} as const;
type Choice = keyof typeof TITLES;

let found = nothingYet();
let adapters: Adapter[] = [];
let running: AbortController | null = null;
/** Milliseconds that the kernels' script took; it comes once. */
let load: number | null = null;

const list = h("ul.notices.told", { "aria-label": "Worth knowing" });
const status = h("p.status", { role: "status" });
const bar = h("progress", { max: 1, hidden: true, "aria-label": "How much is measured" });
const cards = h("div.cards");
const start = h("button.primary", { type: "button", onclick: () => (running ? running.abort() : measure()) });
const copy = quiet("Copy as JSON", async () => {
  const text = jsonOf(found, machine, adapters, navigator.userAgent);
  status.textContent = await copied(text, "The numbers are on the clipboard.");
});

const boxes = (["simd", ...DEVICE_MODES] as const).map((choice) => ({
  choice,
  box: h("input", { type: "checkbox", checked: choice === "simd" }) as HTMLInputElement,
}));
const isChosen = (choice: Choice): boolean => boxes.some((one) => one.choice === choice && one.box.checked);

function show(): void {
  list.replaceChildren(...notices(saidOf(found, machine, adapters)));
  cards.replaceChildren(...results(found));
  start.textContent = running ? "Stop" : "Measure";
  bar.hidden = running === null;
  copy.disabled = running !== null || found.registerGflops === null;
  for (const { box } of boxes) box.disabled = running !== null;
}

function tell(doing: string, done: number): void {
  status.textContent = `Measuring ${doing} …`;
  bar.setAttribute("value", `${done}`);
  show();
}

async function kernelsScript() {
  const since = performance.now();
  const kernels = await scripted("flamboyanceKernels");
  load ??= performance.now() - since;
  return kernels;
}

/** A mode of gpu.js, or why it is not there. */
async function cardWay(mode: DeviceMode): Promise<Target | string> {
  try {
    const adapter = await adapterFor(mode);
    if (typeof adapter === "string") return adapter;
    const { gpu } = await scripted("flamboyanceGpu");
    adapters.push(adapter);
    return { backend: "gpu", mode, threads: 1, open: () => gpu({ mode }) };
  } catch (error) {
    return messageOf(error);
  }
}

/** The modes of gpu.js that were asked for and are there; of the others it is told why not. */
async function cardWays(): Promise<Target[]> {
  const ways: Target[] = [];
  for (const mode of DEVICE_MODES.filter(isChosen)) {
    const way = await cardWay(mode);
    if (typeof way === "string") found.missing.push({ backend: "gpu", mode, why: way });
    else ways.push(way);
  }
  return ways;
}

async function measured({ signal }: AbortController): Promise<boolean> {
  const kernels = await kernelsScript();
  const simd = isChosen("simd") && kernels.simdRuns();
  if (isChosen("simd") && !simd)
    found.missing.push({ backend: "simd", mode: null, why: "this browser has no WebAssembly SIMD" });
  const ways = [...(simd ? kernels.simdWays() : []), ...(await cardWays())];
  const first = simd ? () => kernels.firstResult(load ?? 0) : null;
  const size = location.hash === "#quick" ? kernels.quick : kernels.full;
  return kernels.measure({ ...size, ways, first, signal, tell }, found);
}

async function measure(): Promise<void> {
  found = nothingYet();
  adapters = [];
  running = new AbortController();
  status.textContent = "Loading the kernels …";
  show();
  try {
    status.textContent = (await measured(running)) ? "Measured." : "Stopped.";
  } catch (error) {
    status.textContent = error instanceof Error ? error.message : String(error);
  } finally {
    running = null;
    show();
  }
}

const checks = boxes.map(({ choice, box }) => {
  const [title, what] = TITLES[choice];
  return h("label.switch", {}, box, title, h("small.dim", {}, what));
});
document
  .getElementById("page")
  ?.replaceChildren(
    h(
      "header",
      {},
      h("h1", {}, "How fast is this here?"),
      h(
        "p.dim",
        {},
        "Flamboyance inspector · ",
        h("a", { href: "./index.html" }, "Which token sees which image"),
      ),
    ),
    h(
      "p.lead",
      {},
      "Measures the matrix product and attention, the kernels that cost a Flamingo most, in this browser. It takes some seconds, begins when you say so, and sends nothing anywhere.",
    ),
    h("div.ways", { role: "group", "aria-label": "What to measure" }, ...checks),
    h("div.actions", {}, start, copy, bar, status),
    list,
    cards,
  );
show();
