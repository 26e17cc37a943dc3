// Warnings as a list of sentences; one that is about a place leads there.
import { h } from "./dom.ts";
import type { Place } from "./state.ts";
import type { Warning } from "./warnings.ts";

const MOST = 12;

export class NoticesView {
  readonly element = h("ul.notices", { "aria-label": "Warnings" });
  readonly #go: (at: Place) => void;

  constructor(go: (at: Place) => void) {
    this.#go = go;
  }

  show(warnings: readonly Warning[]): void {
    const more = warnings.length - MOST;
    const items = warnings.slice(0, MOST).map(({ sentence, tone, at }) => {
      const words = at
        ? h("button.link", { type: "button", onclick: () => this.#go(at) }, sentence)
        : sentence;
      return h(`li.${tone}`, {}, words);
    });
    this.element.replaceChildren(...items, more > 0 ? h("li.note", {}, `and ${more} more`) : "");
  }
}
