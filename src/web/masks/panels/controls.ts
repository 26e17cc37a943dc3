// The form with the prompt and the options. Each input updates a part of the state.
import { conventions, type NamedConvention } from "../../../masks/conventions/conventions.ts";
import { lastImages } from "../../../masks/conventions/last.ts";
import { type Child, h } from "../../shared/dom.ts";
import { MOST_IMAGES, MOST_LATENTS, STORED_TILES, type State } from "../state.ts";
import type { View } from "../view.ts";
import { PromptsView } from "./prompts.ts";

type Update = (patch: Partial<State>) => void;
type Fields = Record<"tiles" | "convention" | "against" | "images" | "latents" | "padding", Field>;
type Field = HTMLInputElement | HTMLSelectElement;

const field = (label: string, control: HTMLElement, hint: string): HTMLElement =>
  h(`label.field${label === "Padding" ? ".narrow" : ""}`, { title: hint }, h("span", {}, label), control);

function conventionOptions(): HTMLElement[] {
  const groups = new Map<string, NamedConvention[]>();
  for (const one of [...Object.values<NamedConvention>(conventions), lastImages(2)]) {
    const name = one.source.package;
    groups.set(name, [...(groups.get(name) ?? []), one]);
  }
  return [...groups].map(([label, list]) =>
    h("optgroup", { label }, ...list.map(({ name }) => h("option", { value: name }, name))),
  );
}

const select = (onchange: (value: string) => void, ...options: readonly Child[]): HTMLElement =>
  h("select", { onchange: (event) => onchange((event.target as HTMLSelectElement).value) }, ...options);

/** A group of two buttons, one of which is pressed. */
function toggle(
  label: string,
  words: readonly (readonly [string, string])[],
  choose: (value: string) => void,
): HTMLElement {
  const buttons = words.map(([value, text]) =>
    h("button", { type: "button", value, onclick: () => choose(value) }, text),
  );
  return h("div.pair", { role: "group", "aria-label": label }, ...buttons);
}

/** Parses the tiles of each image: "1, 3; 4" -> [[1, 3], [4]], prompt by prompt. Returns null for anything else. */
export function tilesIn(text: string): number[][] | null {
  const lists =
    text.trim() === ""
      ? []
      : text.split(";").map((part) =>
          part
            .split(/[,\s]+/)
            .filter(Boolean)
            .map(Number),
        );
  const isTile = (n: number) => Number.isInteger(n) && n >= 1 && n <= STORED_TILES;
  return lists.every((list) => list.every(isTile)) ? lists : null;
}

/** Parses a list of numbers of images: "2, 1" -> [2, 1]. Returns null for anything else. */
export function imagesIn(text: string): number[] | null {
  const parts = text.split(/[,\s]+/).filter(Boolean);
  const numbers = parts.map(Number);
  return numbers.every((n) => Number.isInteger(n) && n >= 0 && n <= MOST_IMAGES) ? numbers : null;
}

const textOf = (event: Event): string => (event.target as Field).value;

function fieldsOf(update: Update): Record<keyof Fields, HTMLElement> {
  return {
    convention: select((convention) => update({ convention }), ...conventionOptions()),
    against: select(
      (against) => update({ against }),
      h("option", { value: "" }, "nothing"),
      ...conventionOptions(),
    ),
    images: h("input", {
      inputmode: "numeric",
      placeholder: "as many as tokens",
      size: 15,
      onchange: (e) => update({ images: imagesIn(textOf(e)) ?? [] }),
    }),
    tiles: h("input", {
      placeholder: "1, 3; 4",
      size: 8,
      onchange: (e) => update({ tiles: tilesIn(textOf(e)) ?? [] }),
    }),
    latents: h("input", {
      type: "number",
      min: 1,
      max: MOST_LATENTS,
      onchange: (e) =>
        update({ latents: Math.max(1, Math.min(MOST_LATENTS, Math.trunc(Number(textOf(e))) || 1)) }),
    }),
    padding: select(
      (padding) => update({ padding: padding === "left" ? "left" : "right" }),
      h("option", { value: "right" }, "right"),
      h("option", { value: "left" }, "left"),
    ),
  };
}

function togglesOf(update: Update): Record<"layout" | "show", HTMLElement> {
  return {
    layout: toggle(
      "Layout",
      [
        ["sentence", "Sentence"],
        ["rows", "Rows"],
      ],
      (value) => update({ layout: value === "rows" ? "rows" : "sentence" }),
    ),
    show: toggle(
      "Cells show",
      [
        ["mask", "Mask"],
        ["attention", "Attention"],
      ],
      (value) => update({ show: value === "attention" ? "attention" : "mask" }),
    ),
  };
}

export class ControlsView {
  readonly element: HTMLElement;
  readonly #prompts: PromptsView;
  readonly #fields: Fields;
  readonly #toggles: Record<"layout" | "show", HTMLElement>;
  readonly #padding: HTMLElement;
  readonly #tiles: HTMLElement;

  constructor(update: Update) {
    this.#prompts = new PromptsView((prompts) => update({ prompts, at: null }));
    const fields = fieldsOf(update);
    this.#fields = fields as unknown as Fields;
    this.#toggles = togglesOf(update);
    this.#padding = field("Padding", fields.padding, "The side on which shorter prompts are padded");
    this.#tiles = field(
      "Tiles",
      fields.tiles,
      `The tiles of each image, at most ${STORED_TILES}; prompts are separated by semicolons`,
    );
    this.element = h(
      "form.controls",
      { onsubmit: (event) => event.preventDefault() },
      this.#prompts.element,
      h(
        "div.choices",
        {},
        field("Convention", fields.convention, "The convention of the mask: which token sees which image"),
        field("Compare with", fields.against, "A second convention to compare with"),
        field(
          "Images",
          fields.images,
          "The number of images: one number for all prompts, or one for each (2, 1)",
        ),
        field("Latents", fields.latents, "The number of latents shown for each image"),
        this.#tiles,
        this.#padding,
        this.#toggles.layout,
        this.#toggles.show,
      ),
    );
  }

  show(state: State, view: View): void {
    this.#prompts.show(state.prompts, view.numbers);
    const values = {
      tiles: state.tiles.map((counts) => counts.join(", ")).join("; "),
      convention: state.convention,
      against: state.against,
      images: state.images.join(", "),
      latents: `${state.latents}`,
      padding: state.padding,
    };
    for (const [name, value] of Object.entries(values)) {
      const control = this.#fields[name as keyof typeof values];
      if (control.value === value) continue;
      control.value = value;
      const isLeftOut = control.value !== value && view.conventions.some((one) => one.name === value); // such as "last 3"
      if (!isLeftOut) continue;
      control.append(h("option", { value }, value));
      control.value = value;
    }
    this.#tiles.hidden = state.tiles.length === 0 && !view.conventions.some(({ tiled }) => tiled);
    this.#padding.hidden = view.prompts.length < 2;
    for (const name of ["layout", "show"] as const) {
      for (const button of this.#toggles[name].querySelectorAll("button"))
        button.setAttribute("aria-pressed", `${button.value === state[name]}`);
    }
  }
}
