// Normalizers of tokenizer.json (huggingface/tokenizers, tokenizers/src/normalizers).
import { boolean, string } from "../../fields.ts";
import { precompiledNormalizer } from "../sentencepiece/normalizer.ts";
import { toByteAlphabet } from "../text/bytes.ts";
import { SPACE } from "../text/characters.ts";
import { normalForm } from "../text/unicode-ages.ts";
import { field, make, type Part, partsOf, patternIn, required, type Table } from "./fields.ts";

export type Normalize = (text: string) => string;

const unicodeForm = (form: "NFC" | "NFD" | "NFKC" | "NFKD") => (): Normalize => (text) =>
  normalForm(text, form);

function strip(part: Part): Normalize {
  const [left, right] = [field(part, "strip_left", boolean, true), field(part, "strip_right", boolean, true)];
  const pattern = new RegExp(
    [...(left ? [`^${SPACE}+`] : []), ...(right ? [`(?<!${SPACE})${SPACE}+$`] : [])].join("|"),
    "gu",
  );
  return left || right ? (text) => text.replace(pattern, "") : (text) => text;
}

function replace(part: Part): Normalize {
  const [pattern, content] = [patternIn(part, "pattern"), required(part, "content", string)];
  return (text) => text.replace(pattern, () => content);
}

/** The control characters that Nmt removes, and the characters that it replaces with a space. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters
const REMOVED = /[\u0001-\u0008\u000b\u000e-\u001f\u007f\u008f\u009f]/g;
const SPACES = /[\t\n\f\r\u1680\u200b-\u200f\u2028\u2029\u2581\ufeff\ufffd]/g;

const NORMALIZERS: Table<Normalize> = {
  Sequence: (part) => {
    const all = partsOf(part, "normalizers").map(normalizer);
    return (text) => all.reduce((result, normalize) => normalize(result), text);
  },
  NFC: unicodeForm("NFC"),
  NFD: unicodeForm("NFD"),
  NFKC: unicodeForm("NFKC"),
  NFKD: unicodeForm("NFKD"),
  /** One character at a time: a Σ at the end of a word is σ, as in Rust's `char::to_lowercase`. */
  Lowercase: () => (text) => text.replace(/./gsu, (one) => one.toLowerCase()), // [tokenizer.normalizers]
  Strip: strip,
  StripAccents: () => (text) => text.replace(/\p{M}/gu, ""),
  Replace: replace,
  Prepend: (part) => {
    const prefix = required(part, "prepend", string);
    return (text) => (text === "" ? "" : prefix + text); // [tokenizer.normalizers]
  },
  Nmt: () => (text) => text.replace(REMOVED, "").replace(SPACES, " "),
  ByteLevel: () => toByteAlphabet,
  Precompiled: (part) => precompiledNormalizer(required(part, "precompiled_charsmap", string), part.at.file),
};

/** [tokenizer.normalizers] */
export function normalizer(part: Part): Normalize {
  return make(part, NORMALIZERS);
}
