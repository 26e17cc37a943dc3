// The values of the selected token in each stage of a layer.

import { colourClass, h, styled } from "../../shared/dom.ts";
import { MOST_KEYS, type RowPlace, type Stage, type StageName, type Stages } from "../layer/block.ts";
import { effectOf, rowOf, weightStatistics } from "../layer/rows.ts";
import type { Place } from "../state.ts";

const TITLES: Readonly<Record<StageName, { readonly title: string; readonly note: string }>> = {
  scores: { title: "Scores", note: "query · key, scaled" },
  masked: { title: "Masked scores", note: "−∞ where the mask is 0" },
  softmax: { title: "Softmax", note: "weights of the keys" },
  weights: { title: "Post-softmax mask", note: "the weights that multiply the values" },
  gated: { title: "Gated", note: "attention × tanh(gate)" },
  residual: { title: "Residual", note: "plus the input of the layer" },
  output: { title: "Feed-forward", note: "gated and added: the output of the layer" },
};

const round = (n: number): string => (Number.isNaN(n) ? "NaN" : n.toFixed(2).replace(/^-(0\.0+)$/, "$1"));

/** A number with two digits, for a table cell. */
const short = (n: number): string =>
  n === Number.NEGATIVE_INFINITY ? "−∞" : n === 0 ? "0" : round(n).replace("-", "−");

/** Sentences on the weights of a row and on its change by the layer. */
export function rowFacts(stages: Stages, at: RowPlace, head: number): string[] {
  const facts: string[] = [];
  const statistics = weightStatistics(stages, at, head);
  if (statistics) {
    const { sum, entropy, largestEntropy, keys, isUniform } = statistics;
    const maximum = `${round(largestEntropy)} (log ${keys})`;
    const uniform = isUniform ? "; all keys have the same weight" : "";
    facts.push(
      `The weights sum to ${round(sum)}. Their entropy is ${round(entropy)}, at most ${maximum}${uniform}.`,
    );
  }
  const effect = effectOf(stages, at);
  if (effect === "none") facts.push("The layer does not change this row.");
  if (effect === "feed-forward")
    facts.push("Attention adds nothing to this row; only the feed-forward changes it.");
  return facts;
}

function number(value: number, most: number, image: number): HTMLElement {
  const share = Number.isFinite(value) && most > 0 ? Math.abs(value) / most : 0;
  const tone = image > 0 ? colourClass(image) : value < 0 ? "minus" : "plus";
  return styled(h(`td.${tone}`, { title: `${value}` }, short(value)), { "--w": share.toFixed(3) });
}

function stageRow(stage: Stage, stages: Stages, at: Place, head: number): HTMLElement {
  const values = rowOf(stages, stage, at, head).slice(0, MOST_KEYS);
  const most = Math.max(0, ...values.filter(Number.isFinite).map(Math.abs));
  const imageOf = (i: number) => (stage.over === "keys" ? Math.floor(i / stages.latents) + 1 : 0);
  const { title, note } = TITLES[stage.name];
  return h(
    "tr",
    {},
    h("th", { scope: "row" }, title, h("small", {}, note)),
    ...values.map((value, i) => number(value, most, imageOf(i))),
  );
}

function tableOf(caption: string, head: HTMLElement | null, rows: readonly HTMLElement[]): HTMLElement {
  return h(
    "div.numbers",
    { tabindex: 0, role: "region", "aria-label": caption },
    h("table", {}, h("caption", {}, caption), head, h("tbody", {}, ...rows)),
  );
}

function imageHeader({ latents }: Stages, keys: number): HTMLElement {
  const headings = Array.from({ length: Math.ceil(keys / latents) }, (_, m) =>
    h(
      `th.${colourClass(m + 1)}`,
      { scope: "colgroup", colspan: Math.min(latents, keys - m * latents) },
      `image ${m + 1}`,
    ),
  );
  return h("thead", {}, h("tr", {}, h("td"), ...headings));
}

/** The numbers to show, and what is needed to describe them. */
export interface ShownStages {
  /** null: there are none. */
  readonly stages: Stages | null;
  readonly at: Place | null;
  readonly head: number;
  /** Keys of the layer. */
  readonly keys: number;
  /** The decoding step that is shown; null for the whole text. */
  readonly step: number | null;
}

/** The reason why no numbers are shown. */
function emptyText({ at, keys }: ShownStages): string {
  if (keys === 0) return "The prompt has no image, so the layer is not computed.";
  if (!at) return "Select a token.";
  return `The layer is computed for at most ${MOST_KEYS} keys. The images of this batch have ${keys} latents together.`;
}

export class StagesView {
  readonly #body = h("div.stages");
  readonly #heads = h("div.heads");
  readonly element: HTMLElement;

  constructor(chooseHead: (head: number) => void) {
    this.#heads.addEventListener("change", (event) =>
      chooseHead(Number((event.target as HTMLSelectElement).value)),
    );
    this.element = h(
      "details.card",
      { open: true },
      h("summary", {}, "Stages of a layer"),
      this.#heads,
      this.#body,
    );
  }

  show(shown: ShownStages): void {
    const { stages, at, head } = shown;
    if (!stages || !at) {
      this.#heads.replaceChildren();
      this.#body.replaceChildren(h("p.dim", {}, emptyText(shown)));
      return;
    }
    this.#showHeads(stages, shown);
    const rows = (over: Stage["over"]) =>
      stages.stages.filter((stage) => stage.over === over).map((stage) => stageRow(stage, stages, at, head));
    const keys = stages.stages[0]?.shape[3] ?? 0;
    const features = rows("features");
    const rest = keys > MOST_KEYS && `The first ${MOST_KEYS} of ${keys} keys are shown.`;
    this.#body.replaceChildren(
      tableOf(
        "Values for each latent of the images",
        imageHeader(stages, Math.min(keys, MOST_KEYS)),
        rows("keys"),
      ),
      ...(rest ? [h("p.fact", {}, rest)] : []),
      features.length > 0 ? tableOf("Values for each feature of the token", null, features) : "",
      ...rowFacts(stages, at, head).map((fact) => h("p.fact", {}, fact)),
    );
  }

  #showHeads(stages: Stages, { at, head, step }: ShownStages): void {
    const options = Array.from({ length: stages.heads }, (_, i) =>
      h("option", { value: i, selected: i === head }, `head ${i}`),
    );
    const when = step === null ? "" : `, at step ${step} of decoding`;
    this.#heads.replaceChildren(
      h("p.dim", {}, `Position ${at?.position} in ${stages.origin}${when}.`),
      h("label", {}, "Head ", h("select", {}, ...options)),
    );
  }
}
