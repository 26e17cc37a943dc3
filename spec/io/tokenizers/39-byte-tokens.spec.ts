// Bytes as tokens, of 39-byte-tokens.md. Expected values: BytesTokenizer of JOBR0/PerceiverIO_Pytorch (golden/export/perceiver_data.py).
import { expect, test } from "vitest";
import { loadSafetensors } from "../../../src/io/safetensors/read.ts";
import {
  BYTE_VOCABULARY,
  byteText,
  byteTokens,
  SPECIAL_TOKENS,
} from "../../../src/io/tokenizers/byte-tokens.ts";
import { RuleError } from "../../../src/tensor/errors.ts";
import { Int } from "../../../src/tensor/tensor.ts";

const file = loadSafetensors("golden/data/perceiver-io/expected.safetensors");
const numbers = (name: string): number[] => {
  const stored = file.get(name);
  return stored instanceof Int ? [...stored.data] : [];
};
const textNamed = (name: string): string => new TextDecoder().decode(Uint8Array.from(numbers(name)));

test("[tokenizer.byte-tokens] ids and text are those of the source's tokenizer", () => {
  const text = textNamed("text");
  expect(numbers("tokens").length).toBeGreaterThan(10);
  expect(byteTokens(text)).toEqual(numbers("tokens"));
  expect(byteText(numbers("tokens"))).toBe(text);
});

test("[tokenizer.byte-tokens] special tokens are left out, and bytes that are no UTF-8 replaced, as in the source", () => {
  expect(byteText(numbers("broken"))).toBe(textNamed("broken_text"));
});

test("[tokenizer.byte-tokens] the vocabulary has 6 special tokens and 256 bytes; other numbers are refused", () => {
  expect(BYTE_VOCABULARY).toBe(262);
  expect(Object.values(SPECIAL_TOKENS)).toEqual([0, 1, 2, 3, 4, 5]);
  for (const id of [-1, 262, 6.5, Number.NaN]) expect(() => byteText([id])).toThrow(RuleError);
});
