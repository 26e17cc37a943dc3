// The model of the page: its state, the view of that state, and the numbers of a layer, which are computed on demand and kept.
import { sharesIn } from "../../mask-report/attention-shares.ts";
import { blockStages, type Stages } from "./layer/block.ts";
import { weightsOf } from "./layer/rows.ts";
import type { Place, State } from "./state.ts";
import type { Trace } from "./trace.ts";
import { batchIn, type View, viewOf } from "./view.ts";

/** The least number of latents per image of the block, even where the page shows one column per image. */
const LEAST_LATENTS = 2;

export class Model {
  #state: State;
  #view: View;
  readonly #stages: { key: string; value: Stages | null }[] = [];
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

  /** Changes the state. Returns whether the grid has to be laid out again. */
  update(patch: Partial<State>): boolean {
    const before = this.#state;
    this.#state = { ...before, ...patch };
    const changed = (Object.keys(patch) as (keyof State)[]).filter((key) => before[key] !== this.#state[key]);
    if (changed.some((key) => key === "text" || key === "images")) this.#trace = null; // its rows belong to another text
    if (changed.some((key) => key !== "at" && key !== "layout" && key !== "head" && key !== "show"))
      this.#refresh();
    return changed.some((key) => key !== "at");
  }

  /** Computes the view, with the recorded attention of a file if there is one. */
  #refresh(): void {
    const batch = batchIn(this.#state);
    const { title, taps } = this.#trace ?? { title: null, taps: new Map() };
    const attention = sharesIn(taps, batch.locations.shape, batch.images);
    this.#view = viewOf(this.#state, { ...batch, title, attention });
  }

  /** Shows the numbers of a file, until the text changes. */
  take(trace: Trace): void {
    this.update({ ...trace.state, show: "attention", at: null, known: 0, step: 0, head: 0 });
    this.#trace = trace;
    this.#refresh();
  }

  get origin(): string | null {
    return this.#trace?.stages.origin ?? null;
  }

  /** The numbers of a layer under one of the conventions; a file's numbers stand for the first one. */
  stages(c = 0): Stages | null {
    if (this.#trace) return c === 0 ? this.#trace.stages : null;
    const { text, images, padding, latents } = this.#state;
    const convention = this.#view.conventions[c];
    const key = JSON.stringify([text, images, padding, latents, convention?.name]);
    const computed = this.#stages[c];
    if (computed?.key === key) return computed.value;
    const { batch } = this.#view;
    const shown = Math.max(LEAST_LATENTS, latents);
    const value = convention ? blockStages(batch.locations, batch.images, shown, convention) : null;
    this.#stages[c] = { key, value };
    return value;
  }

  get head(): number {
    const { heads = 1 } = this.stages() ?? {};
    return Math.min(this.#state.head, heads - 1);
  }

  weights(prompt: number, position: number, c = 0): readonly (readonly number[])[] | null {
    const stages = this.#state.show === "attention" ? this.stages(c) : null;
    return stages && weightsOf(stages, prompt, position, this.head);
  }

  /** The place that is explained; by default the decoding step, or the end of the first prompt. Null without a prompt. */
  get at(): Place | null {
    const { at } = this.#state;
    const length = this.#view.prompts[0]?.length ?? 0;
    if (length === 0) return null;
    if (!at || at.prompt >= this.#view.prompts.length || at.position >= length)
      return { prompt: 0, position: (this.#view.steps[0]?.[this.#view.step]?.to ?? length) - 1, image: 0 };
    return { ...at, image: Math.min(at.image, this.#view.batch.images) };
  }
}
