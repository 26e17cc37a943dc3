// The model of the page: its state, the view of that state, and the numbers of a layer, which are computed on demand and kept.

import type { Trace } from "./files/trace.ts";
import { blockStages, MOST_KEYS, type RowPlace, SIZES, type Stages } from "./layer/block.ts";
import { weightsOf } from "./layer/rows.ts";
import type { Place, State } from "./state.ts";
import { type View, viewOf } from "./view.ts";

/** The least number of latents per image of the block, even where the page shows one column per image. */
const LEAST_LATENTS = 2;
/** Rows that are computed together. */
const CHUNK = 64;
const MOST_CHUNKS = 32;

export class Model {
  #state: State;
  #view: View;
  readonly #chunks = new Map<string, Stages | null>();
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
    if (changed.some((key) => key === "prompts" || key === "images" || key === "tiles")) this.#trace = null; // its rows belong to another text
    if (changed.some((key) => key !== "at" && key !== "layout" && key !== "head" && key !== "show"))
      this.#refresh();
    return changed.some((key) => key !== "at");
  }

  /** Computes the view, with the recorded attention of a file if there is one. */
  #refresh(): void {
    this.#view = viewOf(this.#state, this.#trace?.recorded);
    this.#chunks.clear();
  }

  /** Shows the numbers of a file, until the text changes. */
  take(trace: Trace): void {
    this.update({ ...trace.state, show: "attention", at: null, known: 0, step: 0, head: 0 });
    this.#trace = trace;
    this.#refresh();
  }

  get origin(): string | null {
    return this.#trace?.recorded.title ?? null;
  }

  /** The file whose numbers are shown. They are of the whole text, so that a decoding step has the block's instead. */
  get #recorded(): Trace | null {
    return this.#view.steps.length === 0 && this.#trace?.stages ? this.#trace : null;
  }

  /** The number of keys of the layer. */
  get keys(): number {
    return this.#view.batch.images * this.#latents;
  }

  /** Keys of an image: its tiles, or its latents. */
  get #latents(): number {
    return this.#view.batch.tiles?.most ?? Math.max(LEAST_LATENTS, this.#state.latents);
  }

  /**
   * The numbers of a layer for a row and some of its neighbours, under one of the conventions; a file's numbers stand for the first
   * one. null if there are none, or more than MOST_KEYS keys.
   */
  stages(at: RowPlace, c = 0): Stages | null {
    if (this.#recorded) return c === 0 ? this.#recorded.stages : null;
    if (this.keys > MOST_KEYS) return null;
    const first = { prompt: at.prompt, position: Math.floor(at.position / CHUNK) * CHUNK };
    const key = `${c} ${first.prompt} ${first.position}`;
    const known = this.#chunks.get(key);
    if (known !== undefined) return known;
    const [oldest] = this.#chunks.keys();
    if (oldest !== undefined && this.#chunks.size >= MOST_CHUNKS) this.#chunks.delete(oldest);
    const computed = this.#compute(first, c);
    this.#chunks.set(key, computed);
    return computed;
  }

  /** Runs the block on the rows that the grid shows. */
  #compute(first: RowPlace, c: number): Stages | null {
    const { batch, prompts, conventions } = this.#view;
    const tokens = prompts[first.prompt]?.slice(first.position, first.position + CHUNK) ?? [];
    const rows = tokens.map(({ bands }) => bands[c]?.row).filter((row) => row !== undefined);
    const convention = conventions[c];
    if (!convention) return null;
    const tiles = batch.tiles?.counts[first.prompt];
    return blockStages(rows, { images: batch.images, latents: this.#latents, tiles }, convention, first);
  }

  get head(): number {
    const heads = this.#recorded?.stages?.heads ?? SIZES.heads;
    return Math.min(this.#state.head, heads - 1);
  }

  /** The weights of a row by image; null if cells show the mask. */
  weights(at: RowPlace, c = 0): readonly (readonly number[])[] | null {
    const stages = this.#state.show === "attention" ? this.stages(at, c) : null;
    return stages && weightsOf(stages, at, this.head);
  }

  /** The images that have weight in a row of the file, whatever its mask. */
  recordedImages({ prompt, position }: RowPlace): number[] {
    const shares = this.#recorded?.recorded.attention?.shares[prompt]?.[position] ?? [];
    return shares.flatMap((share, m) => (share > 0 ? [m + 1] : []));
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
