// The decoding panel: the number of tokens that are known at the start, and the step that is shown.
import { PADDING } from "../../../masks/prompts/prompt.ts";
import { h } from "../../shared/dom.ts";
import type { State } from "../state.ts";
import type { View } from "../view.ts";
import { tokenLabel } from "../words.ts";

type Update = (patch: Partial<State>) => void;

const slider = (label: string, oninput: (value: number) => void): HTMLInputElement =>
  h("input", {
    type: "range",
    "aria-label": label,
    oninput: (event) => oninput(Number((event.target as HTMLInputElement).value)),
  }) as HTMLInputElement;

/** Describes the current step and its rows under each convention. */
export function stepText({ steps, step, prompts, conventions }: View): string {
  const [current] = steps[0]?.slice(step) ?? [];
  if (!current) return "The whole text is processed in one pass.";
  const { from, to } = current;
  const positions =
    to - from === 1
      ? `position ${from}, “${tokenLabel(prompts[0]?.[from]?.token ?? PADDING)}”`
      : `positions ${from} to ${to - 1}`;
  const results = conventions.map(({ name }, c) => {
    const differing = prompts.flatMap((tokens, prompt) =>
      tokens
        .slice(from, to)
        .flatMap(({ position, bands }) => (bands[c]?.stepDiffers ? [{ prompt, position }] : [])),
    );
    const [first] = differing;
    const of = first && prompts.length > 1 ? ` of prompt ${first.prompt}` : "";
    const result = steps[c]?.[step]?.refused
      ? "does not support this step"
      : first
        ? `computes another row for position ${first.position}${of} than in the whole text`
        : "computes the same rows as in the whole text";
    return `${name} ${result}`;
  });
  return `Step ${step} of ${(steps[0]?.length ?? 1) - 1} processes ${positions}. ${results.join("; ")}.`;
}

export class DecodeView {
  readonly element: HTMLElement;
  readonly #known: HTMLInputElement;
  readonly #step: HTMLInputElement;
  readonly #enabled: HTMLInputElement;
  readonly #description = h("p.fact", { role: "status" });
  readonly #sliders: HTMLElement;
  readonly #knownText = h("output");
  readonly #stepText = h("output");
  #length = 1;
  #leastKnown = 1;

  constructor(update: Update) {
    this.#known = slider("Tokens known at the start of decoding", (known) =>
      update({ known, step: 0, at: null }),
    );
    this.#step = slider("Decoding step", (step) => update({ step, at: null }));
    const start = () => Math.max(this.#leastKnown, Math.ceil(this.#length / 2));
    this.#enabled = h("input", {
      type: "checkbox",
      onchange: () => update(this.#enabled.checked ? { known: start(), step: 0 } : { known: 0, step: 0 }),
    }) as HTMLInputElement;
    this.#sliders = h(
      "div.sliders",
      {},
      h("label", {}, h("span", {}, "Known at the start ", this.#knownText), this.#known),
      h("label", {}, h("span", {}, "Step ", this.#stepText), this.#step),
    );
    this.element = h(
      "section.card.decode",
      {},
      h("label.switch", {}, this.#enabled, " Replay decoding with a cache, one token at a time"),
      this.#sliders,
      this.#description,
    );
  }

  show(state: State, view: View): void {
    const length = view.batch.locations.shape[1] ?? 0;
    this.#length = length;
    this.#leastKnown = view.leastKnown;
    const on = view.steps.length > 0;
    this.#enabled.checked = on;
    this.#sliders.hidden = !on;
    this.#description.hidden = !on;
    if (!on) return;
    const known = view.steps[0]?.[0]?.to ?? state.known;
    Object.assign(this.#known, { min: `${view.leastKnown}`, max: `${length}`, value: `${known}` });
    Object.assign(this.#step, {
      min: "0",
      max: `${(view.steps[0]?.length ?? 1) - 1}`,
      value: `${view.step}`,
    });
    this.#knownText.textContent = `${known} of ${length}`;
    this.#stepText.textContent = `${view.step} of ${(view.steps[0]?.length ?? 1) - 1}`;
    this.#description.textContent = stepText(view);
  }
}
