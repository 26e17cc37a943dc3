// SentencePiece's own character maps by name, made from Unicode's normalization forms as its builder makes them
// (google/sentencepiece, src/builder.cc). A model file holds its map; a name alone needs these.
import { escapePattern } from "../text/characters.ts";
import { PrefixIndex } from "../text/prefix-index.ts";
import type { CharacterMap, Replacement } from "./charsmap.ts";

export type MapName = "nmt_nfkc" | "nmt_nfkc_cf" | "nfkc" | "nfkc_cf" | "identity";
export const MAP_NAMES: readonly MapName[] = ["nmt_nfkc", "nmt_nfkc_cf", "nfkc", "nfkc_cf", "identity"];

type Rules = ReadonlyMap<string, string>;

/** Normalization forms are the identity from here on, but for ideographs in plane 2. */
const LAST = 0x2ffff;
/** Characters of Unicode 17 that it normalizes or folds: the maps of sentencepiece 0.2.1 are those of Unicode 16. */
const YOUNGER = [
  [0xa7ce, 0xa7cf],
  [0xa7d2, 0xa7d2],
  [0xa7d4, 0xa7d4],
  [0xa7f1, 0xa7f1],
  [0x16ea0, 0x16ed3],
] as const;

/** Every character but surrogates and those that Unicode reserves for no character. */
function* characters(): Generator<string> {
  for (let point = 1; point <= LAST; point++) {
    const isNone =
      (point >= 0xd800 && point < 0xe000) ||
      (point >= 0xfdd0 && point < 0xfdf0) ||
      (point & 0xfffe) === 0xfffe;
    if (!isNone && !YOUNGER.some(([first, last]) => point >= first && point <= last))
      yield String.fromCodePoint(point);
  }
}

/** The characters that decompose to one other character, by that one. */
function originals(): Map<string, string[]> {
  const result = new Map<string, string[]>();
  for (const one of characters()) {
    const decomposed = one.normalize("NFKD");
    if ([...decomposed].length !== 1) continue;
    const list = result.get(decomposed);
    if (list === undefined) result.set(decomposed, [one]);
    else list.push(one);
  }
  return result;
}

/** Every sequence that decomposes to `decomposed` one character at a time. */
function sequences(decomposed: string, from: ReadonlyMap<string, readonly string[]>): string[] {
  let result = [""];
  for (const one of decomposed) {
    const choices = from.get(one) ?? [one];
    result = result.flatMap((start) => choices.map((choice) => start + choice));
  }
  return result;
}

/** The rules of NFKC: single characters, and sequences that compose to what one character is normalized to. */
function nfkc(): Map<string, string> {
  const rules = new Map<string, string>();
  const sequenceRules = new Map<string, string>();
  for (const one of characters()) {
    const composed = one.normalize("NFKC");
    if (composed !== one) rules.set(one, composed);
    const decomposed = one.normalize("NFKD");
    if (decomposed !== composed && lengthOf(decomposed) > 1) sequenceRules.set(decomposed, composed);
  }
  const from = originals();
  const byLength = [...sequenceRules].sort(([a], [b]) => lengthOf(a) - lengthOf(b));
  for (const [decomposed, composed] of byLength) {
    const length = lengthOf(decomposed);
    if (applied(decomposed, rules, length - 1) === composed) continue; // so are the other sequences of this form
    for (const sequence of sequences(decomposed, from))
      if (sequence !== composed) rules.set(sequence, composed);
  }
  return withoutRedundant(rules);
}

const lengthOf = (text: string): number => [...text].length;

/** The rules that shorter rules do not make already. */
function withoutRedundant(rules: Rules): Map<string, string> {
  const byLength: [string, string][][] = [];
  for (const [key, value] of rules) {
    const length = lengthOf(key);
    byLength[length] ??= [];
    byLength[length].push([key, value]);
  }
  const kept = new Map(byLength[1]);
  for (let length = 2; length < byLength.length; length++) {
    const needed = (byLength[length] ?? []).filter(
      ([key, value]) => applied(key, kept, length - 1) !== value,
    );
    for (const [key, value] of needed) kept.set(key, value);
  }
  return kept;
}

/** The text with rules of at most `most` characters, the longest first. */
function applied(text: string, rules: Rules, most: number): string {
  const points = [...text];
  let result = "";
  for (let i = 0; i < points.length; ) {
    let length = Math.min(most, points.length - i);
    while (length > 1 && !rules.has(points.slice(i, i + length).join(""))) length--;
    const key = points.slice(i, i + length).join("");
    result += rules.get(key) ?? key;
    i += length;
  }
  return result;
}

const REMOVED = [
  [0x1, 0x8],
  [0xb, 0xb],
  [0xe, 0x1f],
  [0x7f, 0x7f],
  [0x8f, 0x8f],
  [0x9f, 0x9f],
] as const;
const SPACES = [
  0x9, 0xa, 0xc, 0xd, 0x1680, 0x200b, 0x200c, 0x200e, 0x200f, 0x2028, 0x2029, 0x2581, 0xfeff, 0xfffd,
];

/** NFKC without control characters, with more characters as spaces, and with the wide tilde as it is. */
function nmt(): Map<string, string> {
  const rules = nfkc();
  for (const point of SPACES) rules.set(String.fromCodePoint(point), " ");
  for (const [first, last] of REMOVED)
    for (let point = first; point <= last; point++) rules.set(String.fromCodePoint(point), "");
  rules.delete("\uff5e");
  return withoutRedundant(rules);
}

/** Simple case folding of one character: C and S of Unicode's CaseFolding.txt. */
function folded(one: string): string {
  const candidates = [one.toUpperCase(), one.toLowerCase(), one.toUpperCase().toLowerCase()];
  if (/\p{Script=Cherokee}/u.test(one)) return candidates[0] ?? one; // these fold to capitals
  const same = new RegExp(`^${escapePattern(one)}$`, "iu");
  const lower = candidates.slice(1).findLast((two) => two !== one && [...two].length === 1 && same.test(two));
  return lower ?? one;
}

function withFolding(rules: Rules): Rules {
  const result = new Map([...rules].map(([key, value]) => [key, [...value].map(folded).join("")]));
  for (const one of characters()) {
    if (result.has(one)) continue;
    const two = folded(one);
    if (two !== one) result.set(one, two);
  }
  return withoutRedundant(result);
}

const RULES: Readonly<Record<MapName, () => Rules>> = {
  nmt_nfkc: nmt,
  nmt_nfkc_cf: () => withFolding(nmt()),
  nfkc,
  nfkc_cf: () => withFolding(nfkc()),
  identity: () => new Map(),
};

class RuleMap implements CharacterMap {
  readonly #values: readonly string[];
  readonly #index: PrefixIndex;

  constructor(rules: Rules) {
    this.#values = [...rules.values()];
    this.#index = new PrefixIndex([...rules.keys()].map((key, i) => [key, i]));
  }

  at(text: string, from: number): Replacement | null {
    const match = this.#index.longest(text, from);
    return match === null ? null : { text: this.#values[match.value] ?? "", length: match.length };
  }
}

/** The rules of a map by name: keys and what they are replaced with. */
export const namedRules = (name: MapName): ReadonlyMap<string, string> => RULES[name]();

const made = new Map<MapName, CharacterMap>();

/** A map by name. It is made once, in about a second. [sentencepiece.names] */
export function namedMap(name: MapName): CharacterMap | null {
  if (name === "identity") return null;
  const map = made.get(name) ?? new RuleMap(namedRules(name));
  made.set(name, map);
  return map;
}
