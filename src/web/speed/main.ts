// The speed page: choices, a button and results. Nothing is loaded or measured before the button is pressed.
import type { Target } from "../../bench/target.ts";
import { firstLineOf, messageOf } from "../../tensor/errors.ts";
import { copyText, quietButton } from "../shared/clipboard.ts";
import { h } from "../shared/dom.ts";
import { type Adapter, adapterFor, DEVICE_MODES, type DeviceMode } from "./adapters.ts";
import { noResults } from "./results.ts";
import { scripted } from "./scripts.ts";
import { jsonOf, type Machine, noticesOf } from "./text.ts";
import { notices, results as resultElements } from "./view.ts";

const machine: Machine = { isolated: globalThis.crossOriginIsolated, cores: navigator.hardwareConcurrency };
const TITLES = {
  simd: ["simd", "WebAssembly"],
  webgl2: ["gpu.js on WebGL 2", "loads 0.7 MB"],
  webgpu: ["gpu.js on WebGPU", "loads 0.7 MB"],
} as const;
type Choice = keyof typeof TITLES;

let results = noResults();
let adapters: Adapter[] = [];
let running: AbortController | null = null;
/** Milliseconds that loading the script with the kernels took. */
let load: number | null = null;

const list = h("ul.notices", { "aria-label": "Notes" });
const status = h("p.status", { role: "status" });
const bar = h("progress", { max: 1, value: 0, hidden: true, "aria-label": "Progress of the measurement" });
const cards = h("div.cards");
const start = h("button.primary", { type: "button", onclick: () => (running ? running.abort() : measure()) });
const copy = quietButton("Copy as JSON", async () => {
  const text = jsonOf(results, machine, adapters, navigator.userAgent);
  status.textContent = await copyText(text, "The results are on the clipboard.");
});

const boxes = (["simd", ...DEVICE_MODES] as const).map((choice) => ({
  choice,
  box: h("input", { type: "checkbox", checked: choice === "simd" }) as HTMLInputElement,
}));
const isChosen = (choice: Choice): boolean => boxes.some((one) => one.choice === choice && one.box.checked);

function show(): void {
  list.replaceChildren(...notices(noticesOf(results, machine, adapters)));
  cards.replaceChildren(...resultElements(results));
  start.textContent = running ? "Stop" : "Measure";
  bar.hidden = running === null;
  copy.disabled = running !== null || results.peakGflops === null;
  for (const { box } of boxes) box.disabled = running !== null;
}

function progress(step: string, done: number): void {
  status.textContent = `Measuring ${step} …`;
  bar.setAttribute("value", `${done}`);
  show();
}

async function kernelsScript() {
  const since = performance.now();
  const kernels = await scripted("flamboyanceKernels");
  load ??= performance.now() - since;
  return kernels;
}

/** A mode of gpu.js, or the reason why it cannot be opened. */
async function gpuTarget(mode: DeviceMode): Promise<Target | string> {
  try {
    const adapter = await adapterFor(mode);
    if (typeof adapter === "string") return adapter;
    const { gpu } = await scripted("flamboyanceGpu");
    adapters.push(adapter);
    return { backend: "gpu", mode, threads: 1, open: () => gpu({ mode }) };
  } catch (error) {
    return firstLineOf(error);
  }
}

/** The chosen modes of gpu.js. Those that cannot be opened are added to the missing ones. */
async function gpuTargets(): Promise<Target[]> {
  const targets: Target[] = [];
  for (const mode of DEVICE_MODES.filter(isChosen)) {
    const target = await gpuTarget(mode);
    if (typeof target === "string") results.missing.push({ backend: "gpu", mode, why: target });
    else targets.push(target);
  }
  return targets;
}

async function measureChosen({ signal }: AbortController): Promise<boolean> {
  const kernels = await kernelsScript();
  const simd = isChosen("simd") && kernels.simdRuns();
  if (isChosen("simd") && !simd)
    results.missing.push({
      backend: "simd",
      mode: null,
      why: "this browser does not support WebAssembly SIMD",
    });
  const targets = [...(simd ? kernels.simdTargets() : []), ...(await gpuTargets())];
  const first = simd ? () => kernels.firstResult(load ?? 0) : null;
  const size = location.hash === "#quick" ? kernels.quick : kernels.full;
  return kernels.measure({ ...size, targets, first, signal, progress }, results);
}

async function measure(): Promise<void> {
  results = noResults();
  adapters = [];
  running = new AbortController();
  status.textContent = "Loading the kernels …";
  show();
  try {
    status.textContent = (await measureChosen(running)) ? "Measured." : "Stopped.";
  } catch (error) {
    status.textContent = messageOf(error);
  } finally {
    running = null;
    show();
  }
}

const checks = boxes.map(({ choice, box }) => {
  const [title, detail] = TITLES[choice];
  return h("label.switch", {}, box, title, h("small.dim", {}, detail));
});
document
  .getElementById("page")
  ?.replaceChildren(
    h(
      "header",
      {},
      h("h1", {}, "Kernel speed in this browser"),
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
      "Measures the matrix product and attention, which take most of a Flamingo’s time, in this browser. A measurement takes some seconds, starts when you press the button and sends no data.",
    ),
    h("div.choices", { role: "group", "aria-label": "What to measure" }, ...checks),
    h("div.actions", {}, start, copy, bar, status),
    list,
    cards,
  );
show();
