// Warnings as a list of sentences; one that is about a place leads there. The first few say enough for most.
import { type Child, h } from "../../shared/dom.ts";
import type { Place } from "../state.ts";
import type { Warning } from "../warnings.ts";

/** On a narrow page the grid should not be pushed away. */
const few = (): number => (innerWidth <= 860 ? 2 : 4);
const MOST = 100;

export class NoticesView {
  readonly element = h("ul.notices", { "aria-label": "Warnings" });
  readonly #go: (at: Place) => void;
  #all = false;
  #warnings: readonly Warning[] = [];

  constructor(go: (at: Place) => void) {
    this.#go = go;
  }

  show(warnings: readonly Warning[]): void {
    this.#warnings = warnings;
    const most = this.#all ? MOST : few();
    const shown = warnings.length > most ? most - 1 : most;
    const rest = warnings.length - Math.min(shown, warnings.length);
    this.element.replaceChildren(
      ...warnings.slice(0, shown).map((warning) => this.#item(warning)),
      ...(rest > 0 || this.#all ? [h("li.note", {}, this.#toggle(rest))] : []),
    );
  }

  #item({ sentence, tone, at }: Warning): HTMLElement {
    const go = at && (() => this.#go(at));
    return h(`li.${tone}`, {}, go ? h("button.link", { type: "button", onclick: go }, sentence) : sentence);
  }

  #toggle(rest: number): Child {
    if (this.#all && rest > 0) return `and ${rest} more`;
    const turn = () => {
      this.#all = !this.#all;
      this.show(this.#warnings);
    };
    const text = this.#all ? "show fewer" : `and ${rest} more`;
    return h("button.link", { type: "button", "aria-expanded": `${this.#all}`, onclick: turn }, text);
  }
}
