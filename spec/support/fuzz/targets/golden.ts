// Targets that read golden cases: manifests, whole folders, mask cases, and another implementation's results.
import { copyFileSync, existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { createFolder } from "#host";
import { checkCase } from "../../../../src/conformance/cases/check-case.ts";
import { judge } from "../../../../src/conformance/cases/judge.ts";
import { readCase } from "../../../../src/io/golden/cases.ts";
import { readMaskCases } from "../../../../src/io/golden/masks.ts";
import { caseManifest } from "../../../../src/io/golden/read-manifest.ts";
import { reference } from "../../../../src/kernels/reference/index.ts";
import { flat, Tensor, view } from "../../../../src/tensor/tensor.ts";
import { brokenFiles } from "../../properties/files.ts";
import { damagedBytes } from "../bytes.ts";
import { damagedJson, type Json } from "../json.ts";
import { expectThat, target } from "../target.ts";

const CASES = "golden/cases/flamingo-pytorch";
const NAMES = [
  "swiglu--basic",
  "palm-layer-norm--gradients",
  "feed-forward--basic",
  "masked-cross-attention--lead-text",
  "perceiver-resampler--basic",
  "perceiver-resampler--too-many-media",
];

interface Files {
  readonly manifest: Json;
  readonly inputs: Uint8Array;
  readonly expected: Uint8Array | null;
}

function filesOf(name: string): Files {
  const file = (part: string) => new Uint8Array(readFileSync(join(CASES, name, part)));
  const manifest = JSON.parse(new TextDecoder().decode(file("case.json"))) as Record<string, Json>;
  return {
    manifest,
    inputs: file("inputs.safetensors"),
    expected: manifest.raises ? null : file("expected.safetensors"),
  };
}

const originals = NAMES.map(filesOf);

export const manifests = target<string>({
  inputs: damagedJson(originals.map(({ manifest }) => manifest)),
  size: (text) => text.length,
  show: (text) => text,
  read: (text) => void caseManifest(JSON.parse(text), { file: "case.json", field: "" }),
});

interface Folder {
  readonly manifest: string;
  readonly inputs: Uint8Array;
  readonly expected: Uint8Array | null;
}

/** A case whose three files are damaged, each with a chance. */
const folders: fc.Arbitrary<Folder> = fc.constantFrom(...originals).chain(({ manifest, inputs, expected }) =>
  fc.record({
    manifest: fc.oneof(damagedJson([manifest]), fc.constant(JSON.stringify(manifest))),
    inputs: fc.oneof(fc.constant(inputs), damagedBytes(inputs), brokenFiles),
    expected: expected ? fc.oneof(fc.constant(expected), damagedBytes(expected)) : fc.constant(null),
  }),
);

const backend = reference("float64");

export const cases = target<Folder>({
  inputs: folders,
  asynchronous: true,
  size: ({ manifest, inputs, expected }) => manifest.length + inputs.length + (expected?.length ?? 0),
  show: ({ manifest, inputs, expected }) =>
    [manifest, ...[inputs, expected ?? new Uint8Array()].map((b) => Buffer.from(b).toString("hex"))].join(
      "\n",
    ),
  async read({ manifest, inputs, expected }, root) {
    const folder = `${root}/case`;
    createFolder(folder);
    writeFileSync(`${folder}/case.json`, manifest);
    writeFileSync(`${folder}/inputs.safetensors`, inputs);
    writeFileSync(`${folder}/expected.safetensors`, expected ?? new Uint8Array());
    const golden = readCase(folder);
    try {
      const verdict = await checkCase(golden, backend);
      const internal = /^(TypeError|RangeError|ReferenceError|Bug|SyntaxError|Error):/;
      expectThat(verdict.error === null || !internal.test(verdict.error), `not "${verdict.error}"`);
    } finally {
      golden.close();
    }
  },
});

/** A result that differs from the expected one in one number, by this factor and offset. */
interface Change {
  readonly at: number;
  readonly value: number;
}

const whole = readCase(join(CASES, "masked-cross-attention--lead-text"));

/** A number that is clearly wrong, or no number: the case must not conform. */
export const results = target<Change>({
  inputs: fc.record({
    at: fc.nat(),
    value: fc.oneof(
      fc.double({ min: 1e-3, max: 1e300 }),
      fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.MAX_VALUE),
    ),
  }),
  size: () => 1000,
  read({ at, value }) {
    const out = whole.expected.get("outputs.out");
    if (!(out instanceof Tensor)) throw new Error("the case has no outputs.out");
    const numbers = Float64Array.from(flat(out.data));
    const index = at % numbers.length;
    numbers[index] = (numbers[index] ?? 0) + value;
    const actual = new Map(whole.expected).set(
      "outputs.out",
      new Tensor(out.shape, view(numbers, out.shape)),
    );
    for (const precision of ["float64", "float32"] as const) {
      const { status } = judge(whole, actual, precision, { taps: "decide" });
      expectThat(status === "failed", `a result that is wrong by ${value} fails in ${precision}`);
    }
  },
});

const masks = JSON.parse(readFileSync("golden/cases/masks/masks.json", "utf8")) as Record<string, Json>;
const short = { ...masks, sources: (masks.sources as Json[]).slice(0, 2) };
const ROWS = "golden/cases/masks/rows.safetensors";

export const maskCases = target<string>({
  inputs: damagedJson([short]),
  size: (text) => text.length + statSync(ROWS).size,
  show: (text) => text,
  read(text, root) {
    const folder = `${root}/masks`;
    createFolder(folder);
    writeFileSync(`${folder}/masks.json`, text);
    if (!existsSync(`${folder}/rows.safetensors`)) copyFileSync(ROWS, `${folder}/rows.safetensors`);
    const { sources, rowsOf } = readMaskCases(folder);
    for (const { name } of sources) rowsOf(name);
  },
});
