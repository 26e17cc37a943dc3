// Toolbar actions: copy as text, copy a link, open files.
import { copyText, quietButton } from "../../shared/clipboard.ts";
import { h } from "../../shared/dom.ts";
import { chosen, type Files } from "../files/drop.ts";

const TOO_LONG = {
  text: "The drawing is too long for this page. Use flamboyance mask.",
  link: "The prompts are too long for a link.",
} as const;

export interface Actions {
  /** The text to copy; null if it is too long. */
  readonly drawing: () => string | null;
  /** The address to copy; null if the prompts are too long for one. */
  readonly link: () => string | null;
  readonly take: (files: Promise<Files>) => void;
}

export class ActionsView {
  readonly element: HTMLElement;
  readonly #status = h("p.status", { role: "status" });

  constructor({ drawing, link, take }: Actions) {
    const picker = h("input", {
      type: "file",
      multiple: true,
      hidden: true,
      "aria-label": "Files of a golden case or a trace",
      onchange: () => {
        take(chosen(picker));
        picker.value = "";
      },
    }) as HTMLInputElement;
    this.element = h(
      "div.actions",
      {},
      quietButton("Copy as text", () => this.#copy("text", drawing())),
      quietButton("Copy link", () => this.#copy("link", link())),
      quietButton("Open a golden case or a trace …", () => picker.click()),
      picker,
      this.#status,
    );
  }

  showStatus(text: string): void {
    this.#status.textContent = text;
  }

  async #copy(what: "text" | "link", text: string | null): Promise<void> {
    this.showStatus(
      text === null ? TOO_LONG[what] : await copyText(text, `The ${what} was copied to the clipboard.`),
    );
  }
}
