// The entry point of the page. The state is kept in the address; each change of it updates the view.

import { messageOf } from "../../tensor/errors.ts";
import { afterPause, eachFrame, h } from "../shared/dom.ts";
import { drawingOf } from "./copies.ts";
import { type Files, onDrop } from "./files/drop.ts";
import { traceOf } from "./files/trace.ts";
import { GridView } from "./grid/grid-view.ts";
import type { GridLook } from "./grid/layout.ts";
import { legend } from "./grid/legend.ts";
import { listenToGrids } from "./grid/pointing.ts";
import { Model } from "./model.ts";
import { ActionsView } from "./panels/actions.ts";
import { ControlsView } from "./panels/controls.ts";
import { DecodeView } from "./panels/decoding.ts";
import { PanelView } from "./panels/explanation.ts";
import { NoticesView } from "./panels/notices.ts";
import { StagesView } from "./panels/stages.ts";
import { linkOf, type Place, type State, stateOf } from "./state.ts";
import { warningsOf } from "./warnings.ts";
import { differenceInWords, explanationOf } from "./words.ts";

const model = new Model(stateOf(location.hash));
const controls = new ControlsView(update);
const notices = new NoticesView((at) => go(at, true));
const panel = new PanelView();
const actions = new ActionsView({ drawing: () => drawingOf(model.view, model.state), link, take });
const decode = new DecodeView(update);
const stages = new StagesView((head) => update({ head }));
const grids = h("div.grids");
const legendBox = h("div");
let views: GridView[] = [];

/** The address of the state; null if it would be too long. */
function link(): string | null {
  const address = linkOf(model.state);
  const page = location.href.replace(/#.*$/, "");
  if (address === null) return null;
  return address === "" ? page : `${page}#${address}`;
}

async function take(files: Promise<Files>): Promise<void> {
  try {
    model.take(traceOf(await files, model.state));
    render();
    actions.showStatus(`${model.origin} is compared with the convention.`);
  } catch (error) {
    actions.showStatus(messageOf(error));
  }
}

const saveToAddress = afterPause(() => {
  const address = linkOf(model.state) ?? "";
  const page = location.pathname + location.search;
  history.replaceState(null, "", address === "" ? page : `${page}#${address}`);
}, 100); // browsers ignore changes of the address that come too fast

function update(patch: Partial<State>): void {
  actions.showStatus("");
  const needsLayout = model.update(patch);
  saveToAddress();
  if (needsLayout) render();
  else point(model.at);
}

function look(): GridLook {
  const { state, view } = model;
  return {
    layout: state.layout,
    images: view.batch.images,
    latents: view.batch.tiles?.most ?? state.latents,
    tiles: view.batch.tiles,
    bars: state.latents > 1 || state.show === "attention" || view.batch.tiles !== null,
    names: view.conventions.map(({ name }) => name),
    full: state.layout === "rows",
    weights: (at, c) => model.weights(at, c),
    recordedImages: (at) => model.recordedImages(at),
  };
}

function makeGrids(): void {
  const { batch, prompts } = model.view;
  views = prompts.map((_, b) => views[b] ?? new GridView(b));
  const caption = (b: number) =>
    h("h2.caption", {}, `Prompt ${b} `, h("span.dim", {}, `with ${batch.real[b]} of ${batch.images} images`));
  const elements = views.flatMap((grid, b) =>
    views.length > 1 ? [caption(b), grid.element] : [grid.element],
  );
  const placeholder = h("p.dim", {}, "Type a prompt; <image> stands for an image.");
  grids.replaceChildren(...(elements.length > 0 ? elements : [placeholder]));
}

let width = 0;
function showGrids(): void {
  width = grids.clientWidth;
  for (const [b, grid] of views.entries()) grid.show(model.view.prompts[b] ?? [], look(), width);
  buildGrids();
}

/** Reads all positions before it changes anything, so that the browser lays out the page once. */
function buildGrids(): void {
  const scrolled = views.map((grid) => grid.scrolled);
  for (const [b, grid] of views.entries()) grid.build(scrolled[b]);
}

function render(): void {
  const { state, view } = model;
  controls.show(state, view);
  decode.show(state, view);
  panel.name(view.conventions);
  makeGrids();
  showGrids();
  const marks = {
    two: view.conventions.length > 1,
    bars: state.show === "attention",
    decodes: view.steps.length > 0,
    tiles: view.batch.tiles !== null,
    shared: views.some((grid) => grid.shares),
  };
  legendBox.replaceChildren(legend(marks));
  point(model.at);
  renderDetails();
}

/** Renders warnings and the stages of a layer, which take longer to compute than the grid. */
const renderDetails = afterPause(() => {
  const difference = differenceInWords(model.view);
  const first = difference ? [{ ...difference, tone: "note" as const }] : [];
  notices.show([...first, ...warningsOf(model.view)]);
  showStages();
}, 20);

function showStages(): void {
  const { at, head, keys, view } = model;
  const step = view.steps.length > 0 ? view.step : null;
  stages.show({ stages: at && model.stages(at), at, head, keys, step });
}
const showStagesSoon = eachFrame(showStages);
const explain = (at: Place | null): void => panel.show(at && explanationOf(model.view, at));

function point(at: Place | null, reveal = false): void {
  for (const grid of views) grid.mark(at, "active", reveal);
  explain(at);
}

function hover(at: Place | null): void {
  for (const grid of views) grid.mark(at, "hovered");
  explain(at ?? model.at);
}

function go(at: Place, focus = false): void {
  model.update({ at });
  saveToAddress();
  if (focus) views[at.prompt]?.element.focus({ preventScroll: true });
  point(at, true);
  showStagesSoon();
}

listenToGrids({ grids, views: () => views, model, hover, go });
const buildSoon = eachFrame(buildGrids);
for (const name of ["scroll", "resize"]) addEventListener(name, buildSoon, { passive: true });
new ResizeObserver(() => {
  if (grids.clientWidth !== width) showGrids();
}).observe(grids);
addEventListener("hashchange", () => {
  model.update(stateOf(location.hash));
  render();
});
onDrop(take);

document
  .getElementById("page")
  ?.replaceChildren(
    h(
      "header",
      {},
      h("h1", {}, "Which token sees which image"),
      h(
        "p.dim",
        {},
        "Flamboyance inspector · ",
        h("a", { href: "./speed.html" }, "Kernel speed in this browser"),
      ),
    ),
    controls.element,
    notices.element,
    h("div.reading", {}, h("div.column", {}, grids, legendBox, actions.element), panel.element),
    h("div.cards", {}, decode.element, stages.element),
  );
render();
if (model.state.at) point(model.at, true); // scroll to the place of a link
