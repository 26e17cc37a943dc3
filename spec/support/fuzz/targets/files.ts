// Targets that read safetensors and JSON.
import fc from "fast-check";
import { fromBytes } from "../../../../src/host/host.ts";
import { parseJson } from "../../../../src/io/json.ts";
import { openSafetensors } from "../../../../src/io/safetensors/read.ts";
import { brokenFiles, files } from "../../properties/files.ts";
import { damagedText } from "../json.ts";
import { safetensorsFiles } from "../safetensors-files.ts";
import { target } from "../target.ts";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

/** Valid, damaged and arbitrary safetensors files, of which every tensor is read. */
export const safetensors = target<Uint8Array>({
  inputs: fc.oneof(
    { weight: 5, arbitrary: brokenFiles },
    { weight: 5, arbitrary: safetensorsFiles },
    { weight: 1, arbitrary: files },
  ),
  size: (bytes) => bytes.length,
  show: hex,
  read(bytes) {
    const file = openSafetensors(fromBytes(bytes), "f");
    for (const key of file.keys) file.get(key);
  },
});

export const json = target<Uint8Array>({
  inputs: fc.oneof(
    damagedText(fc.json({ maxDepth: 6 })),
    damagedText(fc.tuple(fc.nat({ max: 200 }), fc.string()).map(([n, text]) => "[".repeat(n) + text)),
    fc.uint8Array({ maxLength: 60 }),
  ),
  size: (bytes) => bytes.length,
  show: hex,
  read: (bytes) => void parseJson(bytes, "f", 16),
});
