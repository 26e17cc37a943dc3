// The page: a state, what it shows, and what changes it. The state lives in the address.

import { eachFrame, h } from "../shared/dom.ts";
import { drawingOf } from "./copies.ts";
import { type Files, onDrop } from "./drop.ts";
import type { GridLook } from "./grid/layout.ts";
import { legend } from "./grid/legend.ts";
import { pointAt } from "./grid/pointing.ts";
import { GridView } from "./grid/view.ts";
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
const key = h("div");
let views: GridView[] = [];

async function take(files: Promise<Files>): Promise<void> {
  try {
    model.take(traceOf(await files, model.state));
    render();
    actions.say(`Cells show the attention of ${model.origin}.`);
  } catch (error) {
    actions.say(error instanceof Error ? error.message : String(error));
  }
}

const remember = eachFrame(() => {
  const address = addressOf(model.state);
  const here = location.pathname + location.search;
  history.replaceState(null, "", address === "" ? here : `${here}#${address}`);
});

function update(patch: Partial<State>): void {
  actions.say("");
  const laidOut = model.update(patch);
  remember();
  if (laidOut) render();
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
    h(
      "h2.caption",
      {},
      `Prompt ${b} `,
      h("span.dim", {}, `is given ${batch.real[b]} of ${batch.images} images`),
    );
  const all = views.flatMap((grid, b) => (views.length > 1 ? [caption(b), grid.element] : [grid.element]));
  const nothing = h("p.dim", {}, "Type a prompt; <image> stands for an image.");
  grids.replaceChildren(...(all.length > 0 ? all : [nothing]));
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
  key.replaceChildren(legend(marks));
  point(model.at);
  later();
}

/** What may come a moment later: sentences that need every short prompt, and the numbers of a layer. */
let due: ReturnType<typeof setTimeout> | undefined;
function later(): void {
  clearTimeout(due);
  due = setTimeout(() => {
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
  remember();
  if (focus) views[at.prompt]?.element.focus({ preventScroll: true });
  point(at, true);
  showStagesSoon();
}

pointAt({ grids, views: () => views, model, hover, go });
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
    h("div.reading", {}, h("div.column", {}, grids, key, actions.element), panel.element),
    h("div.cards", {}, decode.element, stages.element),
  );
render();
if (model.state.at) point(model.at, true); // a link shows what it is about
