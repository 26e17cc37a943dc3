// What the marks of the grid mean, for those who see them for the first time.
import { h } from "../../shared/dom.ts";

const mark = (name: string, text: string, meaning: string): HTMLElement =>
  h("span.entry", {}, h(`span.cell.${name}.i1`, { "aria-hidden": true }, h("b", {}, text)), meaning);

const word = (text: string, meaning: string): HTMLElement =>
  h("span.entry", {}, h("b", { "aria-hidden": true }, text), meaning);

export function legend({
  two,
  bars,
  decodes,
}: {
  two: boolean;
  bars: boolean;
  decodes: boolean;
}): HTMLElement {
  return h(
    "p.legend",
    {},
    mark("seen", "1", "seen"),
    mark("none", "", "not seen"),
    mark("leak", "", "leaks in though it may not"),
    word("–", "zeroed"),
    word("=", "left as it is"),
    two && word("≠", "the conventions differ"),
    decodes && word("!", "not the whole text’s row"),
    bars && word("▂▆", "weights, as shares of the row’s largest"),
  );
}
