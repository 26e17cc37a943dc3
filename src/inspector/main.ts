// The page: a state, what it shows, and what changes it. The state lives in the address.

import { ControlsView } from "./controls-view.ts";
import { drawingOf } from "./copies.ts";
import { DecodeView } from "./decode-view.ts";
import { type Child, eachFrame, h } from "./dom.ts";
import { chosen, type Files, onDrop } from "./drop.ts";
import { GridView } from "./grid-view.ts";
import { moved } from "./keys.ts";
import { Model } from "./model.ts";
import { PanelView } from "./panel-view.ts";
import { rowFacts } from "./stage-rows.ts";
import { StagesView } from "./stages-view.ts";
import { addressOf, type Place, type State, stateOf } from "./state.ts";
import { traceOf } from "./trace.ts";
import { type Warning, warningsOf } from "./warnings.ts";
import { differenceInWords, explanationOf } from "./words.ts";

const model = new Model(stateOf(location.hash));
const controls = new ControlsView(update);
const decode = new DecodeView(update);
const panel = new PanelView();
const stagesView = new StagesView((head) => update({ head }));
const notices = h("ul.notices", { "aria-label": "Warnings" });
const grids = h("div.grids");
const status = h("p.status", { role: "status" });
const picker = h("input", {
  type: "file",
  multiple: true,
  hidden: true,
  onchange: () => take(chosen(picker)),
}) as HTMLInputElement;
let views: GridView[] = [];

const button = (text: string, onclick: () => void) => h("button.quiet", { type: "button", onclick }, text);
const actions = h(
  "div.actions",
  {},
  button("Copy as text", () => copy(drawingOf(model.view, model.state), "The drawing is on the clipboard.")),
  button("Copy link", () => copy(location.href, "The link is on the clipboard.")),
  button("Open a golden case or a trace …", () => picker.click()),
  picker,
  status,
);

async function copy(text: string, said: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    status.textContent = said;
  } catch {
    status.textContent = "The browser does not let this page reach the clipboard.";
  }
}

async function take(files: Promise<Files>): Promise<void> {
  try {
    model.take(traceOf(await files, model.state));
    status.textContent = `Cells show the attention of ${model.origin}.`;
  } catch (error) {
    status.textContent = error instanceof Error ? error.message : String(error);
  }
  picker.value = "";
  render();
}

const remember = eachFrame(() => {
  const address = addressOf(model.state);
  history.replaceState(null, "", address === "" ? location.pathname + location.search : `#${address}`);
});

function update(patch: Partial<State>): void {
  status.textContent = "";
  const laidOut = model.update(patch);
  remember();
  if (laidOut) render();
  else point(model.at, "active");
}

function notice({ sentence, tone, at }: Warning): HTMLElement {
  const words: Child = at
    ? h("button.link", { type: "button", onclick: () => go(at, true) }, sentence)
    : sentence;
  return h(`li.${tone}`, {}, words);
}

function showNotices(warnings: readonly Warning[]): void {
  const difference = differenceInWords(model.view);
  const told = difference ? [{ ...difference, tone: "note" as const }, ...warnings] : warnings;
  notices.replaceChildren(
    ...told.slice(0, 12).map(notice),
    told.length > 12 ? h("li.note", {}, `and ${told.length - 12} more`) : "",
  );
}

function render(): void {
  const { state, view } = model;
  controls.show(state, view.prompts.length);
  decode.show(state, view);
  panel.name(view.conventions);
  if (views.length !== view.prompts.length) {
    views = view.prompts.map((_, b) => new GridView(b));
    const captions = view.batch.real.map((real, b) =>
      h(
        "h2.caption",
        {},
        `Prompt ${b} `,
        h("span.dim", {}, `is given ${real} of ${view.batch.images} images`),
      ),
    );
    grids.replaceChildren(
      ...views.flatMap((grid, b) => (views.length > 1 ? [captions[b] ?? "", grid.element] : [grid.element])),
    );
  }
  const look = {
    layout: state.layout,
    images: view.batch.images,
    latents: state.latents,
    names: view.conventions.map(({ name }) => name),
    full: state.layout === "rows",
    weights: (prompt: number, position: number) => model.weights(prompt, position),
  };
  for (const [b, grid] of views.entries()) grid.show(view.prompts[b] ?? [], look);
  if (views.length === 0)
    grids.replaceChildren(h("p.dim", {}, "Type a prompt; <image> stands for an image."));
  point(model.at, "active");
  afterwards();
}

/** What may come a moment later: sentences that need every short prompt, and the numbers of a layer. */
let due = 0;
function afterwards(): void {
  clearTimeout(due);
  due = setTimeout(() => {
    showNotices([...model.agreement(), ...warningsOf(model.view)]);
    stagesView.show(model.stages(), model.at, model.head, model.view.steps.length === 0);
    explain(model.at);
  }, 30) as unknown as number;
}

function explain(at: Place | null): void {
  const stages = model.stages();
  const facts =
    stages && at && model.view.steps.length === 0 ? rowFacts(stages, at.prompt, at.position, model.head) : [];
  panel.show(at && explanationOf(model.view, at), facts);
}

function point(at: Place | null, kind: "active" | "hovered", reveal = false): void {
  for (const grid of views) grid.mark(at, kind, reveal);
  if (kind === "hovered") {
    explain(at ?? model.at);
    return;
  }
  panel.show(at && explanationOf(model.view, at), []);
  afterwards();
}

function go(at: Place, focus = false): void {
  model.update({ at });
  remember();
  if (focus) views[at.prompt]?.element.focus({ preventScroll: true });
  point(at, "active", true);
}

function placeOf(event: Event): Place | null {
  const target = event.target as Element;
  const row = target.closest("[data-position]");
  const prompt = views.findIndex(({ element }) => element.contains(target));
  if (!row || prompt < 0) return null;
  const cell = target.closest<HTMLElement>("[data-image]");
  return {
    prompt,
    position: Number((row as HTMLElement).dataset.position),
    image: Number(cell?.dataset.image ?? 0),
  };
}

grids.addEventListener(
  "pointerover",
  (event) => event.pointerType === "mouse" && point(placeOf(event), "hovered"),
);
grids.addEventListener("pointerleave", () => point(null, "hovered"));
grids.addEventListener("click", (event) => {
  const at = placeOf(event);
  if (at) go(at, true);
});
grids.addEventListener("keydown", (event) => {
  const prompt = views.findIndex(({ element }) => element === event.target);
  const { at, view, state } = model;
  if (prompt < 0 || !at || event.ctrlKey || event.metaKey || event.altKey) return;
  const from = at.prompt === prompt ? at : { prompt, position: 0, image: 0 };
  const next = moved(from, event.key, state.layout, {
    length: view.prompts[prompt]?.length ?? 0,
    images: view.batch.images,
  });
  if (!next) return;
  event.preventDefault();
  go(next);
});
grids.addEventListener("focusin", (event) => {
  const prompt = views.findIndex(({ element }) => element === event.target);
  if (prompt >= 0 && model.at?.prompt !== prompt) go({ prompt, position: 0, image: 0 });
});
const refreshAll = () => {
  for (const grid of views) grid.refresh();
};
for (const name of ["scroll", "resize"]) addEventListener(name, refreshAll, { passive: true });
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
      h("p.dim", {}, "Flamboyance, the inspector of media masks"),
    ),
    controls.element,
    notices,
    h("div.reading", {}, h("div.column", {}, grids, actions), panel.element),
    h("div.cards", {}, decode.element, stagesView.element),
  );
render();
