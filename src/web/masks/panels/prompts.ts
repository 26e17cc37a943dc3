// The boxes in which the prompts are written, one for each, and the buttons that add and remove a prompt.
import { quietButton } from "../../shared/clipboard.ts";
import { h } from "../../shared/dom.ts";
import { MOST_PROMPTS } from "../batch.ts";

/** Lines of a box. A text with more of them scrolls. */
const [FEWEST_LINES, MOST_LINES] = [2, 8];

const linesOf = (text: string): number =>
  Math.min(MOST_LINES, Math.max(FEWEST_LINES, text.slice(0, 10_000).split("\n").length));

class PromptBox {
  readonly element: HTMLElement;
  readonly area: HTMLTextAreaElement;
  readonly #label = h("span");
  readonly #remove: HTMLButtonElement;

  constructor(write: (text: string) => void, remove: () => void) {
    this.area = h("textarea", {
      spellcheck: "false",
      placeholder: "Left out while it is empty",
      oninput: () => write(this.area.value),
    }) as HTMLTextAreaElement;
    this.#remove = quietButton("Remove", remove);
    this.element = h("div.prompt", {}, h("label", {}, this.#label, this.area), this.#remove);
  }

  /** `number`: its place in the batch, or null for an empty one. */
  show(text: string, number: number | null, isOnly: boolean): void {
    if (this.area.value !== text) this.area.value = text;
    this.area.rows = linesOf(text);
    const name = isOnly ? "Prompt" : number === null ? "Empty prompt" : `Prompt ${number}`;
    this.#label.textContent = name;
    this.#remove.hidden = isOnly;
    this.#remove.setAttribute("aria-label", `Remove ${name.toLowerCase()}`);
  }
}

export class PromptsView {
  readonly element: HTMLElement;
  readonly #update: (prompts: readonly string[]) => void;
  readonly #list = h("div.prompts");
  readonly #boxes: PromptBox[] = [];
  readonly #add: HTMLButtonElement;
  #prompts: readonly string[] = [];

  constructor(update: (prompts: readonly string[]) => void) {
    this.#update = update;
    this.#add = quietButton("Add a prompt", () => {
      const number = this.#boxes.length;
      this.#update(this.#prompts.toSpliced(number, 0, ""));
      this.#boxes[number]?.area.focus();
    });
    this.element = h("div", {}, this.#list, this.#add);
  }

  #remove(b: number): void {
    this.#update(this.#prompts.toSpliced(b, 1));
    this.#boxes[Math.max(0, b - 1)]?.area.focus();
  }

  #box(b: number): PromptBox {
    return new PromptBox(
      (text) => this.#update(this.#prompts.with(b, text)),
      () => this.#remove(b),
    );
  }

  /** Keeps the boxes that are there, so that the one that is written in keeps the cursor. `numbers`: the place of each prompt in the
   * batch; null for one that is left out. */
  show(prompts: readonly string[], numbers: readonly (number | null)[]): void {
    this.#prompts = prompts;
    const shown = prompts.slice(0, MOST_PROMPTS);
    for (const box of this.#boxes.splice(shown.length)) box.element.remove();
    for (const [b, text] of shown.entries()) {
      const box = this.#boxes[b] ?? this.#box(b);
      if (!this.#boxes[b]) this.#list.append(box.element);
      this.#boxes[b] = box;
      box.show(text, numbers[b] ?? null, prompts.length === 1);
    }
    this.#add.disabled = prompts.length >= MOST_PROMPTS;
  }
}
