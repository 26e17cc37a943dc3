// What can be taken from the page, and what can be given to it.
import { copied, quiet } from "../../shared/clipboard.ts";
import { h } from "../../shared/dom.ts";
import { chosen, type Files } from "../drop.ts";

export class ActionsView {
  readonly element: HTMLElement;
  readonly #status = h("p.status", { role: "status" });

  constructor(drawing: () => string, take: (files: Promise<Files>) => void) {
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
      quiet("Copy as text", () => this.#copy(drawing(), "The drawing is on the clipboard.")),
      quiet("Copy link", () => this.#copy(location.href, "The link is on the clipboard.")),
      quiet("Open a golden case or a trace …", () => picker.click()),
      picker,
      this.#status,
    );
  }

  say(text: string): void {
    this.#status.textContent = text;
  }

  async #copy(text: string, said: string): Promise<void> {
    this.say(await copied(text, said));
  }
}
