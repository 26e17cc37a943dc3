// The lines of a file of any size, one after another: memory holds one line and one chunk of the file.
import type { ByteSource } from "#host";

export interface Line {
  /** From 1. */
  readonly number: number;
  /** Without its line break; null where the line is longer than 16 MB. */
  readonly bytes: Uint8Array | null;
}

/** What is advised for a line that is not JSON. */
export const LINE_REMEDY = "write the line again, or leave it out";

const [CHUNK, MOST_LINE] = [2 ** 16, 16_000_000];
const [LF, CR] = [10, 13];
/** The byte order mark, which some editors put before the first line. */
const MARK = [0xef, 0xbb, 0xbf];

/** The parts of a line, until its end is found. */
class Parts {
  #parts: Uint8Array[] = [];
  #length = 0;

  add(part: Uint8Array): void {
    this.#length += part.length;
    if (this.#length <= MOST_LINE) this.#parts.push(part);
    else this.#parts = []; // [data.long-lines]
  }

  /** The line, which a carriage return may end. */
  take(number: number): Line {
    const isLong = this.#length > MOST_LINE;
    const bytes = new Uint8Array(isLong ? 0 : this.#length);
    let at = 0;
    for (const part of this.#parts) {
      bytes.set(part, at);
      at += part.length;
    }
    [this.#parts, this.#length] = [[], 0];
    if (isLong) return { number, bytes: null };
    const from = number === 1 && MARK.every((byte, i) => bytes[i] === byte) ? MARK.length : 0;
    const to = bytes.at(-1) === CR ? bytes.length - 1 : bytes.length;
    return { number, bytes: bytes.subarray(from, Math.max(from, to)) }; // [data.lines]
  }

  get isEmpty(): boolean {
    return this.#length === 0;
  }
}

/** The lines of a file, blank ones too. A line break at the end of the file ends the last line. */
export function* linesOf(source: ByteSource): Generator<Line, void, undefined> {
  const parts = new Parts();
  let number = 1;
  for (let from = 0; from < source.size; from += CHUNK) {
    const chunk = source.read(from, Math.min(source.size, from + CHUNK));
    let start = 0;
    for (let end = chunk.indexOf(LF); end >= 0; end = chunk.indexOf(LF, start)) {
      parts.add(chunk.slice(start, end));
      yield parts.take(number++);
      start = end + 1;
    }
    parts.add(chunk.slice(start));
  }
  if (!parts.isEmpty) yield parts.take(number);
}
