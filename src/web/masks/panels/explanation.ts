// The explanation beside the grid, and the sources of the conventions.
import type { NamedConvention } from "../../../masks/conventions/conventions.ts";
import { h } from "../../shared/dom.ts";
import { type Explained, type Explanation, meanings } from "../words.ts";

const bandSection = (
  { convention, outcome, label, number, sentences, stepDiffers }: Explained,
  named: boolean,
): HTMLElement =>
  h(
    "section.band",
    {},
    named && h("p.name", {}, convention.name),
    h("p.row-class", {}, h(`strong.${outcome}`, {}, label), h("span", {}, ` ${meanings[outcome]}`)),
    ...sentences.map((sentence) => h("p.sentence", {}, sentence)),
    stepDiffers && h("p.sentence.alarm", {}, "In the mask of the whole text this row is different."),
    h("p.dim", {}, `text_time = ${number}`),
  );

function source({ name, source, note, unproven }: NamedConvention): HTMLElement {
  const { version, where, thread } = source;
  return h(
    "section.source",
    {},
    h("h3", {}, name),
    h("p", {}, note),
    h("p.dim", {}, `${source.package}, ${version}: ${where}.`),
    thread === undefined ? null : h("p.dim", {}, `Discussed in ${thread}.`),
    unproven === undefined ? null : h("p.dim", {}, `Unproven: ${unproven}.`),
  );
}

export class PanelView {
  readonly element = h("aside.panel", { "aria-label": "Explanation", tabindex: 0 });
  readonly #words = h("div.words", { "aria-live": "polite" });
  readonly #sources = h("div.sources");

  constructor() {
    this.element.append(this.#words, this.#sources);
  }

  show(explanation: Explanation | null): void {
    if (!explanation) {
      this.#words.replaceChildren(
        h("h2", {}, "No token is selected"),
        h(
          "p.dim",
          {},
          "Point at a token, or move through the grid with the arrow keys, to see which images the token sees and why.",
        ),
      );
      return;
    }
    const { title, image, bands, differs, isLater } = explanation;
    this.#words.replaceChildren(
      h("h2", {}, title, image > 0 ? h("span.dim", {}, ` and image ${image}`) : null),
      ...bands.map((band) => bandSection(band, bands.length > 1)),
      isLater
        ? h("p.sentence", {}, "Decoding has not reached this token. The row is that of the whole text.")
        : "",
      bands.length > 1
        ? h(
            "p.dim",
            {},
            differs ? "The two conventions differ on this row." : "The two conventions agree on this row.",
          )
        : "",
    );
  }

  name(conventions: readonly NamedConvention[]): void {
    this.#sources.replaceChildren(...conventions.map(source));
  }
}
