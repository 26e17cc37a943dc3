// Toolbar actions: copy as text, copy a link, open files.
import { copyText, quietButton } from "../../shared/clipboard.ts";
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
      quietButton("Copy as text", () => this.#copy(drawing(), "The text was copied to the clipboard.")),
      quietButton("Copy link", () => this.#copy(location.href, "The link was copied to the clipboard.")),
      quietButton("Open a golden case or a trace …", () => picker.click()),
      picker,
      this.#status,
    );
  }

  showStatus(text: string): void {
    this.#status.textContent = text;
  }

  async #copy(text: string, message: string): Promise<void> {
    this.showStatus(await copyText(text, message));
  }
}
