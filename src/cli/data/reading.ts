// How the tasks of `flamboyance data` read files: progress, and what is done about lines that are no samples.
import { type ByteSource, openFile } from "#host";
import {
  type BadLine,
  goodSamples,
  type ReadSample,
  type SampleKind,
} from "../../evaluation/data/samples.ts";
import { counted } from "../../masks/sentences.ts";
import { LoadError } from "../../tensor/errors.ts";
import { type Progress, progressOn } from "../../terminal/progress.ts";
import { writeError } from "../terminal.ts";

/** The kinds of samples. */
export const KINDS = [
  ...(["text", "caption", "document", "question", "choice"] as const),
  ...(["matrix", "description"] as const),
] as const;

/** Bad lines that are printed unless another number is asked for; further ones are counted. */
export const MOST_SHOWN = 20;
const MIB = 2 ** 20;

/** Lines that were left out. */
export class LeftOut {
  count = 0;
  readonly shown: BadLine[] = [];
  /** The last bad line of each file. */
  readonly #furthest = new Map<string, number>();
  readonly #stop: boolean;
  readonly #progress: Progress;
  readonly #most: number;

  /** `stop`: the first bad line ends the run. `most`: how many are kept and printed. */
  constructor(stop: boolean, progress: Progress, most: number = MOST_SHOWN) {
    this.#stop = stop;
    this.#most = most;
    this.#progress = progress;
  }

  /** A line that has been left out before, in an earlier pass over its file, does not count again. */
  add(file: string, bad: BadLine): void {
    if (this.#stop) throw new LoadError(bad.problem);
    if (bad.line <= (this.#furthest.get(file) ?? 0)) return;
    this.#furthest.set(file, bad.line);
    this.count++;
    if (this.shown.length >= this.#most) return;
    this.shown.push(bad);
    this.#progress.clear();
    writeError(`left out: ${bad.problem}\n`);
  }

  /** A sentence on the lines that were left out, or none. */
  get sentence(): string {
    return this.count === 0 ? "" : `${counted(this.count, "line")} left out${this.unshown}\n`;
  }

  /** The end of such a sentence, where there are more lines than were printed. */
  get unshown(): string {
    const more = this.count - this.shown.length;
    return more > 0 ? `, ${more} of them not shown above` : "";
  }
}

/** A file that shows how much of it has been read. */
function watched(source: ByteSource, name: string, progress: Progress): ByteSource {
  const total = Math.max(1, Math.ceil(source.size / MIB));
  return {
    size: source.size,
    close: () => source.close(),
    read(from, to) {
      progress.step(from / MIB, total, `MiB of ${name}`);
      return source.read(from, to);
    },
  };
}

export interface Opened {
  readonly progress: Progress;
  readonly leftOut: LeftOut;
  /** The samples of a file of the given kinds; bad lines are left out, or end the run. */
  readonly samples: (
    file: string,
    kinds: readonly SampleKind[] | null,
  ) => Generator<ReadSample, void, undefined>;
}

export function openReading(stop: boolean, most: number = MOST_SHOWN): Opened {
  const progress = progressOn(process.stderr);
  const leftOut = new LeftOut(stop, progress, most);
  return {
    progress,
    leftOut,
    samples: (file, kinds) =>
      goodSamples(watched(openFile(file), file, progress), file, kinds, (bad) => leftOut.add(file, bad)),
  };
}
