// What the page knows at a moment: the state, the view of it, the numbers of a layer. Computed when asked for, once.
import { agreementOf } from "./agreement.ts";
import { blockStages, type Stages } from "./block.ts";
import { weightsOf } from "./stage-rows.ts";
import type { Place, State } from "./state.ts";
import type { Trace } from "./trace.ts";
import { type View, viewOf } from "./view.ts";
import type { Warning } from "./warnings.ts";

/** The block has a few latents an image even where they are shown folded. */
const LEAST_LATENTS = 2;

export class Model {
  #state: State;
  #view: View;
  #stages: { key: string; value: Stages | null } | null = null;
  #trace: Trace | null = null;

  constructor(state: State) {
    this.#state = state;
    this.#view = viewOf(state);
  }

  get state(): State {
    return this.#state;
  }
  get view(): View {
    return this.#view;
  }

  /** Says whether the grid has to be laid out anew. */
  update(patch: Partial<State>): boolean {
    const before = this.#state;
    this.#state = { ...before, ...patch };
    const changed = (Object.keys(patch) as (keyof State)[]).filter((key) => before[key] !== this.#state[key]);
    if (changed.some((key) => key === "text" || key === "images")) this.#trace = null; // its rows are another text's
    if (changed.some((key) => key !== "at" && key !== "layout" && key !== "head" && key !== "show"))
      this.#view = viewOf(this.#state);
    return changed.some((key) => key !== "at");
  }

  /** Shows the numbers of a file from now on, until the text is another. */
  take(trace: Trace): void {
    this.update({ ...trace.state, show: "attention", at: null, known: 0, step: 0, head: 0 });
    this.#trace = trace;
  }

  get origin(): string | null {
    return this.#trace?.stages.origin ?? null;
  }

  stages(): Stages | null {
    if (this.#trace) return this.#trace.stages;
    const { text, images, convention, padding, latents } = this.#state;
    const key = JSON.stringify([text, images, convention, padding, latents]);
    if (this.#stages?.key !== key) {
      const { batch, conventions } = this.#view;
      const [first] = conventions;
      const shown = Math.max(LEAST_LATENTS, latents);
      this.#stages = { key, value: first ? blockStages(batch.locations, batch.images, shown, first) : null };
    }
    return this.#stages?.value ?? null;
  }

  get head(): number {
    const { heads = 1 } = this.stages() ?? {};
    return Math.min(this.#state.head, heads - 1);
  }

  weights(prompt: number, position: number): readonly (readonly number[])[] | null {
    const stages = this.#state.show === "attention" ? this.stages() : null;
    return stages && weightsOf(stages, prompt, position, this.head);
  }

  /** Where the page looks when nobody has chosen: the end of the first prompt. */
  get at(): Place | null {
    const { at } = this.#state;
    const length = this.#view.prompts[0]?.length ?? 0;
    if (length === 0) return null;
    if (!at || at.prompt >= this.#view.prompts.length || at.position >= length)
      return { prompt: 0, position: length - 1, image: 0 };
    return { ...at, image: Math.min(at.image, this.#view.batch.images) };
  }

  /** What a file's attention says about the convention. */
  agreement(): Warning[] {
    if (!this.#trace) return [];
    const { sentence, at } = agreementOf(this.#view, this.#trace.stages);
    return [{ sentence, tone: at ? "alarm" : "note", at }];
  }
}
