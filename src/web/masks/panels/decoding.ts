// Decoding replayed: how much is known when it begins, and which step is looked at.
import { h } from "../../shared/dom.ts";
import type { State } from "../state.ts";
import { leastKnown, type View } from "../view.ts";

type Update = (patch: Partial<State>) => void;

const slider = (label: string, oninput: (value: number) => void): HTMLInputElement =>
  h("input", {
    type: "range",
    "aria-label": label,
    oninput: (event) => oninput(Number((event.target as HTMLInputElement).value)),
  }) as HTMLInputElement;

/** What a step takes, in a sentence. */
export function stepInWords({ steps, step, prompts, conventions }: View): string {
  const [now] = steps[0]?.slice(step) ?? [];
  if (!now) return "The text is taken at once.";
  const words = prompts[0]?.slice(now.from, now.to).map(({ token }) => token.text) ?? [];
  const taken =
    now.to - now.from === 1
      ? `position ${now.from}, “${words[0]}”`
      : `positions ${now.from} to ${now.to - 1}`;
  const agree = steps.map((list, c) => {
    const { differs, refused } = list[step] ?? {};
    const what = refused
      ? "cannot take it"
      : differs
        ? `gives position ${differs.position} another row than the whole text has`
        : "has the rows of the whole text’s mask";
    return `${conventions[c]?.name} ${what}`;
  });
  return `Step ${step} of ${(steps[0]?.length ?? 1) - 1} takes ${taken}: ${agree.join("; ")}.`;
}

export class DecodeView {
  readonly element: HTMLElement;
  readonly #known: HTMLInputElement;
  readonly #step: HTMLInputElement;
  readonly #on: HTMLInputElement;
  readonly #words = h("p.fact", { role: "status" });
  readonly #sliders: HTMLElement;
  readonly #knownText = h("output");
  readonly #stepText = h("output");
  #length = 1;

  constructor(update: Update) {
    this.#known = slider("Tokens known when decoding begins", (known) =>
      update({ known, step: 0, at: null }),
    );
    this.#step = slider("Decoding step", (step) => update({ step, at: null }));
    const start = () => Math.max(leastKnown(this.#length), Math.ceil(this.#length / 2));
    this.#on = h("input", {
      type: "checkbox",
      onchange: () => update(this.#on.checked ? { known: start(), step: 0 } : { known: 0, step: 0 }),
    }) as HTMLInputElement;
    this.#sliders = h(
      "div.sliders",
      {},
      h("label", {}, h("span", {}, "Known at first ", this.#knownText), this.#known),
      h("label", {}, h("span", {}, "Step ", this.#stepText), this.#step),
    );
    this.element = h(
      "section.card.decode",
      {},
      h("label.switch", {}, this.#on, " Replay decoding, one token a step, with a cache"),
      this.#sliders,
      this.#words,
    );
  }

  show(state: State, view: View): void {
    const length = view.batch.locations.shape[1] ?? 0;
    this.#length = length;
    const on = view.steps.length > 0;
    this.#on.checked = on;
    this.#sliders.hidden = !on;
    this.#words.hidden = !on;
    if (!on) return;
    const known = view.steps[0]?.[0]?.to ?? state.known;
    Object.assign(this.#known, { min: `${leastKnown(length)}`, max: `${length}`, value: `${known}` });
    Object.assign(this.#step, {
      min: "0",
      max: `${(view.steps[0]?.length ?? 1) - 1}`,
      value: `${view.step}`,
    });
    this.#knownText.textContent = `${known} of ${length}`;
    this.#stepText.textContent = `${view.step} of ${(view.steps[0]?.length ?? 1) - 1}`;
    this.#words.textContent = stepInWords(view);
  }
}
