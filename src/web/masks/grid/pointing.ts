// Mouse, touch and keyboard events of the grids.

import type { Model } from "../model.ts";
import type { Place } from "../state.ts";
import type { GridView } from "./grid-view.ts";
import { placeAfterKey } from "./keyboard.ts";

export interface Pointing {
  readonly grids: HTMLElement;
  readonly views: () => readonly GridView[];
  readonly model: Model;
  /** Called with null when the pointer leaves. */
  readonly hover: (at: Place | null) => void;
  readonly go: (at: Place, focus?: boolean) => void;
}

function placeOf(event: Event, views: readonly GridView[]): Place | null {
  const target = event.target as Element;
  const row = target.closest<HTMLElement>("[data-position]");
  const prompt = views.findIndex(({ element }) => element.contains(target));
  if (!row || prompt < 0) return null;
  const cell = target.closest<HTMLElement>("[data-image]");
  return { prompt, position: Number(row.dataset.position), image: Number(cell?.dataset.image ?? 0) };
}

export function listenToGrids({ grids, views, model, hover, go }: Pointing): void {
  const promptOf = (event: Event) => views().findIndex(({ element }) => element === event.target);

  let hovered: Element | null = null;
  let lastPosition = "";
  grids.addEventListener("pointermove", (event) => {
    const position = `${event.clientX} ${event.clientY}`;
    const isScroll = position === lastPosition; // the page moved, not the mouse
    lastPosition = position;
    if (event.pointerType !== "mouse" || isScroll || event.target === hovered) return;
    hovered = event.target as Element;
    hover(placeOf(event, views()));
  });
  grids.addEventListener("pointerleave", () => {
    hovered = null;
    hover(null);
  });
  grids.addEventListener("click", (event) => {
    const at = placeOf(event, views());
    if (at) go(at, true);
  });
  grids.addEventListener("keydown", (event) => {
    const prompt = promptOf(event);
    const { at, view, state } = model;
    if (prompt < 0 || !at || event.ctrlKey || event.metaKey || event.altKey) return;
    const from = at.prompt === prompt ? at : { prompt, position: 0, image: 0 };
    const extent = { length: view.prompts[prompt]?.length ?? 0, images: view.batch.images };
    const next = placeAfterKey(from, event.key, state.layout, extent);
    if (!next) return;
    event.preventDefault();
    go(next);
  });
  grids.addEventListener("focusin", (event) => {
    const prompt = promptOf(event);
    if (prompt >= 0 && model.at?.prompt !== prompt) go({ prompt, position: 0, image: 0 });
  });
}
