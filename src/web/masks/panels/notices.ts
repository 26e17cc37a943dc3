// The list of warnings. A warning about a position is a link to it. Beyond the first few, the list is folded.
import { type Child, h } from "../../shared/dom.ts";
import type { Place } from "../state.ts";
import type { Warning } from "../warnings.ts";

/** The length of the folded list; shorter on a narrow page, so that the grid stays visible. */
const foldedLength = (): number => (innerWidth <= 860 ? 2 : 4);
const MAX_LENGTH = 100;

export class NoticesView {
  readonly element = h("ul.notices", { "aria-label": "Warnings" });
  readonly #go: (at: Place) => void;
  #unfolded = false;
  #warnings: readonly Warning[] = [];

  constructor(go: (at: Place) => void) {
    this.#go = go;
  }

  show(warnings: readonly Warning[]): void {
    this.#warnings = warnings;
    const limit = this.#unfolded ? MAX_LENGTH : foldedLength();
    const shown = warnings.length > limit ? limit - 1 : limit;
    const rest = warnings.length - Math.min(shown, warnings.length);
    this.element.replaceChildren(
      ...warnings.slice(0, shown).map((warning) => this.#item(warning)),
      ...(rest > 0 || this.#unfolded ? [h("li.note", {}, this.#toggle(rest))] : []),
    );
  }

  #item({ sentence, tone, at }: Warning): HTMLElement {
    const go = at && (() => this.#go(at));
    return h(`li.${tone}`, {}, go ? h("button.link", { type: "button", onclick: go }, sentence) : sentence);
  }

  #toggle(rest: number): Child {
    if (this.#unfolded && rest > 0) return `and ${rest} more`;
    const toggle = () => {
      this.#unfolded = !this.#unfolded;
      this.show(this.#warnings);
    };
    const text = this.#unfolded ? "show fewer" : `and ${rest} more`;
    return h("button.link", { type: "button", "aria-expanded": `${this.#unfolded}`, onclick: toggle }, text);
  }
}
