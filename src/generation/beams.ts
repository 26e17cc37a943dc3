// Beam search for one prompt, as in transformers 4.57.6 (`_beam_search` of generation/utils.py), with its arithmetic: a score that must
// not win is lowered by 1e9, and so are those of beams that do not exist yet.
import { largest } from "./largest.ts";
import type { Settings } from "./options.ts";
import { endsText } from "./rows.ts";

const LOWERED = -1e9;

/** Generated tokens and their score: a sum of log-probabilities while they are continued, by length at the end. */
export interface Beam {
  readonly tokens: readonly number[];
  readonly score: number;
}
interface Finished extends Beam {
  readonly ended: boolean;
}
interface Candidate extends Beam {
  /** The running beam that it continues. */
  readonly from: number;
  readonly ends: boolean;
}
/** A beam that runs on: its last token follows those of the beam `from`. */
export interface Running extends Beam {
  readonly from: number;
}

export type BeamSettings = Pick<
  Settings,
  "stops" | "stopStrings" | "textOf" | "maxTokens" | "beams" | "lengthPenalty" | "earlyStopping"
>;

const largestOf = <B extends Beam>(beams: readonly B[], k: number): B[] =>
  largest(
    Float64Array.from(beams, ({ score }) => score),
    k,
  ).map((i) => beams[i] as B);

/** The beams of one prompt. */
export class Beams {
  readonly #settings: BeamSettings;
  #running: readonly Running[];
  #finished: readonly Finished[];
  #length = 0;
  done = false;

  constructor(settings: BeamSettings) {
    const { beams } = settings;
    this.#settings = settings;
    const none = (score: number): Running => ({ tokens: [], score, from: 0 });
    this.#running = Array.from({ length: beams }, (_, i) => none(i === 0 ? 0 : LOWERED)); // [beam.first]
    this.#finished = Array.from({ length: beams }, () => ({ ...none(LOWERED), ended: false }));
  }

  /** The beams that are continued, best first. */
  get running(): readonly Running[] {
    return this.#running;
  }

  /** The finished beams, best first. */
  get finished(): readonly Beam[] {
    return this.#finished;
  }

  get #full(): boolean {
    return this.#finished.every(({ ended }) => ended);
  }

  /** Continues the beams by a token, unless they are done. `scores` holds the processed log-probabilities of the token after each running beam. */
  advance(scores: readonly Float64Array[]): void {
    const candidates = this.#candidates(scores);
    const { beams, earlyStopping } = this.#settings;
    const lowered = candidates.map((one) => ({ ...one, score: one.score + (one.ends ? LOWERED : 0) }));
    this.#length++;
    this.#finish(candidates);
    this.#running = largestOf(lowered, beams);
    const complete = earlyStopping === true && this.#full; // [beam.early]
    this.done = !this.#mayImprove() || complete || candidates.every(({ ends }) => ends);
  }

  /** The most probable continuations: enough that `beams` of them do not end with a stop token. */
  #candidates(scores: readonly Float64Array[]): Candidate[] {
    const { stops, beams, maxTokens } = this.#settings;
    const n = scores[0]?.length ?? 0;
    const sums = new Float64Array(beams * n);
    for (const [i, beam] of this.#running.entries())
      for (const [id, score] of (scores[i] ?? []).entries()) sums[i * n + id] = score + beam.score; // [beam.sum]
    const count = Math.max(2, 1 + stops.length) * beams; // [beam.candidates]
    return largest(sums, count).map((at) => {
      const from = Math.floor(at / n);
      const tokens = [...(this.#running[from]?.tokens ?? []), at % n];
      const ends = tokens.length >= maxTokens || endsText(tokens, this.#settings);
      return { tokens, score: sums[at] ?? 0, from, ends };
    });
  }

  /** Merges candidates that end into the finished beams; only the first `beams` candidates count. */
  #finish(candidates: readonly Candidate[]): void {
    const { beams, lengthPenalty = 1 } = this.#settings;
    const added = candidates.map(({ tokens, score, ends }, rank): Finished => {
      const ended = ends && rank < beams;
      const final = score / this.#length ** lengthPenalty; // [beam.length]
      return { tokens, score: ended ? final : final + LOWERED, ended };
    });
    this.#finished = largestOf([...this.#finished, ...added], beams);
  }

  /** Whether the best running beam could become better than a finished one. */
  #mayImprove(): boolean {
    const { maxTokens, lengthPenalty = 1, earlyStopping = false } = this.#settings;
    const length = earlyStopping === "never" && lengthPenalty > 0 ? maxTokens : this.#length;
    const best = (this.#running[0]?.score ?? LOWERED) / length ** lengthPenalty;
    const worst = this.#finished.reduce(
      (least, { score }) => Math.min(least, score),
      Number.POSITIVE_INFINITY,
    );
    return this.#finished.some(({ ended }) => best > (ended ? worst : LOWERED)); // [beam.improve]
  }
}
