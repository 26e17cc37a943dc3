// The entry point of the page. The state is kept in the address; each change of it updates the view.

import { eachFrame, h } from "../shared/dom.ts";
import { drawingOf } from "./copies.ts";
import { type Files, onDrop } from "./drop.ts";
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
import { addressOf, type Place, type State, stateOf } from "./state.ts";
import { traceOf } from "./trace.ts";
import { warningsOf } from "./warnings.ts";
import { differenceInWords, explanationOf } from "./words.ts";

const model = new Model(stateOf(location.hash));
const controls = new ControlsView(update);
const notices = new NoticesView((at) => go(at, true));
const panel = new PanelView();
const actions = new ActionsView(() => drawingOf(model.view, model.state), take);
const decode = new DecodeView(update);
const stages = new StagesView((head) => update({ head }));
const grids = h("div.grids");
const legendBox = h("div");
let views: GridView[] = [];

async function take(files: Promise<Files>): Promise<void> {
  try {
    model.take(traceOf(await files, model.state));
    render();
    actions.showStatus(`The cells show the attention of ${model.origin}.`);
  } catch (error) {
    actions.showStatus(error instanceof Error ? error.message : String(error));
  }
}

const saveToAddress = eachFrame(() => {
  const address = addressOf(model.state);
  const page = location.pathname + location.search;
  history.replaceState(null, "", address === "" ? page : `${page}#${address}`);
});

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
    latents: state.latents,
    bars: state.latents > 1 || state.show === "attention",
    names: view.conventions.map(({ name }) => name),
    full: state.layout === "rows",
    weights: (prompt, position, c) => model.weights(prompt, position, c),
  };
}

function makeGrids(): void {
  const { batch, prompts } = model.view;
  if (views.length !== prompts.length) views = prompts.map((_, b) => new GridView(b));
  const caption = (b: number) =>
    h("h2.caption", {}, `Prompt ${b} `, h("span.dim", {}, `with ${batch.real[b]} of ${batch.images} images`));
  const elements = views.flatMap((grid, b) =>
    views.length > 1 ? [caption(b), grid.element] : [grid.element],
  );
  const placeholder = h("p.dim", {}, "Type a prompt; <image> stands for an image.");
  grids.replaceChildren(...(elements.length > 0 ? elements : [placeholder]));
}

function render(): void {
  const { state, view } = model;
  controls.show(state, view.prompts.length);
  decode.show(state, view);
  panel.name(view.conventions);
  makeGrids();
  for (const [b, grid] of views.entries()) grid.show(view.prompts[b] ?? [], look());
  const marks = {
    two: view.conventions.length > 1,
    bars: state.show === "attention",
    decodes: view.steps.length > 0,
  };
  legendBox.replaceChildren(legend(marks));
  point(model.at);
  renderDetails();
}

/** Renders warnings and the stages of a layer after a short delay, because they take longer to compute than the grid. */
let timer: ReturnType<typeof setTimeout> | undefined;
function renderDetails(): void {
  clearTimeout(timer);
  timer = setTimeout(() => {
    const difference = differenceInWords(model.view);
    const first = difference ? [{ ...difference, tone: "note" as const }] : [];
    notices.show([...first, ...warningsOf(model.view)]);
    showStages();
  }, 20);
}

const showStages = () => stages.show(model.stages(), model.at, model.head, model.view.steps.length === 0);
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
const refresh = (): void => {
  for (const grid of views) grid.refresh();
};
for (const name of ["scroll", "resize"]) addEventListener(name, refresh, { passive: true });
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
