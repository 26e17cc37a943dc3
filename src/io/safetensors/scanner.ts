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

  string(): string | null {
    this.#skipSpace();
    const start = this.#at;
    if (this.#text[start] !== '"') return null;
    let end = start + 1;
    while (end < this.#text.length && this.#text[end] !== '"') end += this.#text[end] === "\\" ? 2 : 1;
    this.#at = end + 1;
    try {
      return JSON.parse(this.#text.slice(start, end + 1));
    } catch {
      this.#at = start;
      throw this.#unexpected();
    }
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

const WHOLE = /(?:0|[1-9]\d{0,15})(?![\d.eE])/y;
const SPACE = new Set([..." \t\n\r"].map((c) => c.charCodeAt(0)));
