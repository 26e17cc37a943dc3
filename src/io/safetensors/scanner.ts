// A parser for JSON of a known form. It constructs only the requested values and stops at the first unexpected
// character. (JSON.parse would first allocate a gigabyte of objects for 25 MB of "[],[],".)

/** A cursor in a text. Methods return null for a value of another kind, which the caller reports. */
export class Scanner {
  readonly #text: string;
  readonly #fail: (problem: string) => Error;
  #at = 0;

  /** `fail` constructs the error for a text that is not JSON. */
  constructor(text: string, fail: (problem: string) => Error) {
    this.#text = text;
    this.#fail = fail;
  }

  /** Whether this character is the next one, after spaces. */
  isNext(mark: string): boolean {
    this.#skipSpace();
    return this.#text[this.#at] === mark;
  }

  /** The keys of an object in order. The caller has to read the value of a key before it takes the next key. */
  *members(): Generator<string> {
    if (!this.#take("{")) throw this.#unexpected();
    if (this.#take("}")) return;
    do {
      const key = this.string();
      if (key === null || !this.#take(":")) throw this.#unexpected();
      yield key;
    } while (this.#take(","));
    if (!this.#take("}")) throw this.#unexpected();
  }

  /** Takes the value null, if it is the next one. */
  null(): boolean {
    this.#skipSpace();
    if (!this.#text.startsWith("null", this.#at)) return false;
    this.#at += "null".length;
    return true;
  }

  string(): string | null {
    this.#skipSpace();
    const start = this.#at;
    if (this.#text[start] !== '"') return null;
    let end = start + 1;
    while (end < this.#text.length && this.#text[end] !== '"') end += this.#text[end] === "\\" ? 2 : 1;
    this.#at = end + 1;
    const value = parsed(this.#text.slice(start, end + 1));
    if (value !== null && !LONE_SURROGATE.test(value)) return value; // [io.json]
    this.#at = start;
    throw value === null ? this.#unexpected() : this.#fail("has half of a surrogate pair in a string");
  }

  /** A list of at most `most` whole numbers of at least 0 that are exact in a double, else null. */
  counts(most: number): number[] | null {
    const numbers: number[] = [];
    if (!this.#take("[")) return null;
    if (this.#take("]")) return numbers;
    do {
      const n = this.#count();
      if (n === null || numbers.length === most) return null;
      numbers.push(n);
    } while (this.#take(","));
    return this.#take("]") ? numbers : null;
  }

  /** Checks that only spaces follow. */
  end(): void {
    this.#skipSpace();
    if (this.#at < this.#text.length) throw this.#unexpected();
  }

  #count(): number | null {
    this.#skipSpace();
    WHOLE.lastIndex = this.#at;
    const digits = WHOLE.exec(this.#text)?.[0] ?? "";
    this.#at += digits.length;
    return digits !== "" && Number.isSafeInteger(Number(digits)) ? Number(digits) : null;
  }

  #take(mark: string): boolean {
    if (!this.isNext(mark)) return false;
    this.#at++;
    return true;
  }

  #skipSpace(): void {
    while (SPACE.has(this.#text.charCodeAt(this.#at))) this.#at++;
  }

  #unexpected(): Error {
    return this.#fail(
      this.#at < this.#text.length ? `is not JSON at character ${this.#at}` : "ends too early",
    );
  }
}

function parsed(text: string): string | null {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Half of a pair of UTF-16 code units: no character, although JSON's escapes can write it. */
export const LONE_SURROGATE = /\p{Surrogate}/u;
const WHOLE = /(?:0|[1-9]\d{0,15})(?![\d.eE])/y;
const SPACE = new Set([..." \t\n\r"].map((c) => c.charCodeAt(0)));
