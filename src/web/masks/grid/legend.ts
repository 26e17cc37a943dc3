// The legend of the grid's marks.
import { h } from "../../shared/dom.ts";

const mark = (name: string, text: string, meaning: string): HTMLElement =>
  h("span.entry", {}, h(`span.cell.${name}.i1`, { "aria-hidden": "true" }, h("b", {}, text)), meaning);

const word = (text: string, meaning: string): HTMLElement =>
  h("span.entry", {}, h("b", { "aria-hidden": "true" }, text), meaning);

export interface Marks {
  readonly two: boolean;
  readonly bars: boolean;
  readonly decodes: boolean;
  readonly tiles: boolean;
  /** Whether a row of the grid has a cell that several images share. */
  readonly shared: boolean;
}

export function legend({ two, bars, decodes, tiles, shared }: Marks): HTMLElement {
  return h(
    "p.legend",
    {},
    mark("seen", "1", "seen"),
    mark("none", "", "not seen"),
    mark("leak", "", "reaches the row although the mask forbids it"),
    word("–", "zeroed"),
    word("=", "unchanged by the layer"),
    two && word("≠", "the conventions differ"),
    decodes && word("!", "differs from the row in the whole text"),
    shared && word("+ 9", "other images in one cell; its number is how many of them are seen"),
    tiles && word("▨", "a tile that only pads"),
    bars && word("▂▆", "weights, relative to the largest of the row"),
  );
}
