// Toolbar actions: copy as text, copy a link, open files.
import { copyText, quietButton } from "../../shared/clipboard.ts";
import { h } from "../../shared/dom.ts";
import { chosen, type Files } from "../files/drop.ts";

export interface Actions {
  /** The text to copy. */
  readonly drawing: () => string;
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
      quietButton("Copy as text", () => this.#copy(drawing(), "The text was copied to the clipboard.")),
      quietButton("Copy link", () => this.#copyLink(link())),
      quietButton("Open a golden case or a trace …", () => picker.click()),
      picker,
      this.#status,
    );
  }

  showStatus(text: string): void {
    this.#status.textContent = text;
  }

  #copyLink(link: string | null): void {
    if (link === null) this.showStatus("The prompts are too long for a link.");
    else this.#copy(link, "The link was copied to the clipboard.");
  }

  async #copy(text: string, message: string): Promise<void> {
    this.showStatus(await copyText(text, message));
  }
}
