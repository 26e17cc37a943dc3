// The selected token's numbers on their way through a layer.

import { h, ink, styled } from "../../shared/dom.ts";
import type { Stage, Stages } from "../layer/block.ts";
import { rowFacts, rowOf, short, titles } from "../layer/rows.ts";
import type { Place } from "../state.ts";

function number(value: number, most: number, image: number): HTMLElement {
  const share = Number.isFinite(value) && most > 0 ? Math.abs(value) / most : 0;
  const tone = image > 0 ? ink(image) : value < 0 ? "minus" : "plus";
  return styled(h(`td.${tone}`, { title: `${value}` }, short(value)), { "--w": share.toFixed(3) });
}

function stageRow(stage: Stage, stages: Stages, at: Place, head: number): HTMLElement {
  const values = rowOf(stage, at.prompt, at.position, head);
  const most = Math.max(0, ...values.filter(Number.isFinite).map(Math.abs));
  const imageOf = (i: number) => (stage.over === "keys" ? Math.floor(i / stages.latents) + 1 : 0);
  const { title, note } = titles[stage.name];
  return h(
    "tr",
    {},
    h("th", { scope: "row" }, title, h("small", {}, note)),
    ...values.map((value, i) => number(value, most, imageOf(i))),
  );
}

function block(caption: string, heads: HTMLElement | null, rows: readonly HTMLElement[]): HTMLElement {
  return h(
    "div.numbers",
    { tabindex: 0, role: "region", "aria-label": caption },
    h("table", {}, h("caption", {}, caption), heads, h("tbody", {}, ...rows)),
  );
}

function imageHeads({ latents }: Stages, keys: number): HTMLElement {
  const images = Array.from({ length: keys / latents }, (_, m) =>
    h(`th.${ink(m + 1)}`, { scope: "colgroup", colspan: latents }, `image ${m + 1}`),
  );
  return h("thead", {}, h("tr", {}, h("td"), ...images));
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
      h("summary", {}, "Inside the layer, stage by stage"),
      this.#heads,
      this.#body,
    );
  }

  show(stages: Stages | null, at: Place | null, head: number, wholeText: boolean): void {
    if (!stages || !at) {
      this.#heads.replaceChildren();
      this.#body.replaceChildren(
        h(
          "p.dim",
          {},
          stages
            ? "Choose a token."
            : "Without an image there is nothing to attend to: the layer is not computed.",
        ),
      );
      return;
    }
    const options = Array.from({ length: stages.heads }, (_, i) =>
      h("option", { value: i, selected: i === head }, `head ${i}`),
    );
    this.#heads.replaceChildren(
      h(
        "p.dim",
        {},
        `Position ${at.position} in ${stages.origin}${wholeText ? "" : "; the whole text at once, not this step"}.`,
      ),
      h("label", {}, "Head ", h("select", {}, ...options)),
    );
    const rows = (over: Stage["over"]) =>
      stages.stages.filter((stage) => stage.over === over).map((stage) => stageRow(stage, stages, at, head));
    const keys = stages.stages[0]?.shape[3] ?? 0;
    const features = rows("features");
    this.#body.replaceChildren(
      block("Over the latents of the images", imageHeads(stages, keys), rows("keys")),
      features.length > 0 ? block("Over the features of the token", null, features) : "",
      ...rowFacts(stages, at.prompt, at.position, head).map((fact) => h("p.fact", {}, fact)),
    );
  }
}
