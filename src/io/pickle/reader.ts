// A cursor in a pickle. It reads the source in windows, so that bytes of arrays are passed over and not read.
import type { ByteSource } from "#host";
import type { LoadError } from "../../tensor/errors.ts";
import { type Bytewise, slice } from "./values.ts";

/** The error for a problem that violates a rule; the problem completes "FILE: …". */
export type Fail = (problem: string, rule: string) => LoadError;

const WINDOW = 1 << 16;

export class PickleReader {
  readonly #source: ByteSource;
  readonly #fail: Fail;
  #at = 0;
  #window: Uint8Array = new Uint8Array(0);
  #windowAt = 0;

  constructor(source: ByteSource, fail: Fail) {
    this.#source = source;
    this.#fail = fail;
  }

  /** The offset of the next byte. */
  get at(): number {
    return this.#at;
  }

  byte(): number {
    const index = this.#at - this.#windowAt;
    const known = this.#window[index];
    if (known === undefined) return this.take(1)[0] ?? 0;
    this.#at++;
    return known;
  }

  /** The next `n` bytes. */
  take(n: number): Uint8Array {
    const begin = this.#pass(n);
    const index = begin - this.#windowAt;
    if (index >= 0 && index + n <= this.#window.length) return this.#window.subarray(index, index + n);
    if (n > WINDOW) return this.#source.read(begin, begin + n);
    this.#windowAt = begin;
    this.#window = this.#source.read(begin, Math.min(begin + WINDOW, this.#source.size));
    return this.#window.subarray(0, n);
  }

  /** The next `n` bytes, unread. */
  range(n: number): Bytewise {
    const begin = this.#pass(n);
    return slice(this.#source, begin, begin + n);
  }

  /** Checks that `n` more bytes follow. */
  rest(n: number): void {
    const at = this.#at;
    this.#pass(n);
    this.#at = at;
  }

  /** An unsigned integer of at most 8 bytes. Beyond 2⁵³ it is inexact, and larger than any file. */
  unsigned(width: number): number {
    return this.take(width).reduceRight((sum, byte) => sum * 256 + byte, 0);
  }

  int32(): number {
    const [a = 0, b = 0, c = 0, d = 0] = this.take(4);
    return a | (b << 8) | (c << 16) | (d << 24);
  }

  /** A float64, most significant byte first. */
  float64(): number {
    const bytes = this.take(8);
    return new DataView(bytes.buffer, bytes.byteOffset).getFloat64(0);
  }

  /** The bytes up to the next line feed, which is passed over. */
  line(most: number): Uint8Array {
    const begin = this.#at;
    for (let length = 256; ; length *= 2) {
      const known = Math.min(length, most + 1, this.#source.size - begin);
      this.#at = begin;
      const bytes = this.take(known);
      const end = bytes.indexOf(0x0a);
      if (end >= 0) {
        this.#at = begin + end + 1;
        return bytes.subarray(0, end);
      }
      this.#at = begin;
      if (known === most + 1)
        throw this.#fail(`a line of the pickle has more than ${most} bytes`, "pickle.bounds");
      if (known < length) throw this.#cut();
    }
  }

  /** Moves on by `n` bytes; returns where they begin. */
  #pass(n: number): number {
    const begin = this.#at;
    if (n > this.#source.size - begin) throw this.#cut(); // [pickle.bounds]
    this.#at += n;
    return begin;
  }

  #cut(): LoadError {
    return this.#fail(
      `the pickle ends in the middle of a value at byte ${this.#at}; the file is cut short or damaged; fetch or write it again`,
      "pickle.bounds",
    );
  }
}
