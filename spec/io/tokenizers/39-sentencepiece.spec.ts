// The executable half of 39-sentencepiece.md. Digests are those of sentencepiece 0.2.1 (golden/export/tokenizers).
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { readModelFile } from "../../../src/io/tokenizers/sentencepiece/model-file.ts";
import { MAP_NAMES, namedMap } from "../../../src/io/tokenizers/sentencepiece/named-maps.ts";
import { sentencePieceNormalizer } from "../../../src/io/tokenizers/sentencepiece/normalizer.ts";
import { Message } from "../../../src/io/tokenizers/sentencepiece/protobuf.ts";
import { PrefixIndex } from "../../../src/io/tokenizers/text/prefix-index.ts";
import { LoadError } from "../../../src/tensor/errors.ts";

const DATA = "golden/data/tokenizers";
const { block, digests } = JSON.parse(readFileSync(`${DATA}/normalization.json`, "utf8"));
const none = new PrefixIndex([]);
const flags = {
  addDummyPrefix: true,
  removeExtraWhitespaces: true,
  escapeWhitespaces: true,
  suffixes: false,
};

function texts(from: number): string[] {
  const result: string[] = [];
  for (let point = from; point < from + block; point++) {
    if (point >= 0xd800 && point < 0xe000) continue;
    const one = String.fromCodePoint(point);
    result.push(one, `a${one}b`);
  }
  return result;
}

test.each(MAP_NAMES)(
  "[sentencepiece.names] [sentencepiece.longest] %s of every code point of planes 0 and 1, alone and between letters",
  { timeout: 60_000 },
  (name) => {
    const normalize = sentencePieceNormalizer({ map: namedMap(name), ...flags }, none);
    const found = Array.from({ length: 0x20000 / block }, (_, i) => {
      const normal = texts(i * block).map(normalize);
      return createHash("sha256").update(normal.join("\n")).digest("hex").slice(0, 12);
    });
    expect(found).toEqual(digests[name]);
  },
);

test("[sentencepiece.charsmap] a stored map replaces the longest key, and the file's own rules alone", () => {
  const bytes = new Uint8Array(readFileSync(`${DATA}/rules.model`));
  const { model } = readModelFile(bytes, "rules.model");
  const normalize = sentencePieceNormalizer({ ...flags, map: model.map }, none);
  // The rules are Å from A and a ring, abc to d, ab to e, wide A to A, U+2000 to a space, U+007F to nothing.
  expect(normalize("A\u030a abcab ab\u007fc\u2000\u2000Ａ Ｂ")).toBe("▁Å▁de▁ec▁A▁Ｂ");
});

test("[sentencepiece.protobuf] [sentencepiece.file] every beginning of a file is refused or read, and nothing else happens", () => {
  const bytes = new Uint8Array(readFileSync(`${DATA}/rules.model`));
  for (let length = 0; length < bytes.length; length += 7) {
    try {
      readModelFile(bytes.subarray(0, length), "cut.model");
    } catch (error) {
      expect(error).toBeInstanceOf(LoadError);
    }
  }
});

test("[sentencepiece.integers] integers of 64 bits are exact at both ends of zero", () => {
  // field 1 as a varint: seven bits a byte, the lowest first, of a number modulo 2^64
  const written = (value: bigint): Uint8Array => {
    const bytes = [0x08];
    let rest = BigInt.asUintN(64, value);
    for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
    return Uint8Array.from([...bytes, Number(rest)]);
  };
  for (const value of [
    0n,
    1n,
    127n,
    300n,
    2n ** 28n,
    2n ** 40n + 5n,
    2n ** 53n - 1n,
    -1n,
    -2n,
    -(2n ** 31n),
    -(2n ** 40n),
  ])
    expect(new Message(written(value), "numbers").integer(1, 7)).toBe(Number(value));
});
