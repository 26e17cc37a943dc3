// Answers of an implementation that is probed: outputs of any shape, and correct ones with damage.
import { writeFileSync } from "node:fs";
import fc from "fast-check";
import { emptyFolder } from "#host";
import { answerIn } from "../../../../src/conformance/adapters/process.ts";
import type { Answer } from "../../../../src/conformance/probe/ask.ts";
import { calls, inputsOf } from "../../../../src/conformance/probe/plan.ts";
import { findConvention } from "../../../../src/conformance/probe/probe.ts";
import { probeDocument } from "../../../../src/conformance/probe/report/document.ts";
import type { Stored } from "../../../../src/io/safetensors/read.ts";
import { writeSafetensors } from "../../../../src/io/safetensors/write.ts";
import { Bool, flat, Int, Tensor, view } from "../../../../src/tensor/tensor.ts";
import { brokenFiles } from "../../properties/files.ts";
import { damagedBytes } from "../bytes.ts";
import { damagedJson } from "../json.ts";
import { target } from "../target.ts";

interface Damage {
  readonly name: string;
  readonly dtype: "float" | "int" | "bool";
  /** Added to the axes of the right answer; another number of them is a shape of its own. */
  readonly sizes: readonly number[];
  readonly at: number;
  readonly value: number;
  /** Every so many numbers are `value`; 0: none. */
  readonly every: number;
}

const damage: fc.Arbitrary<Damage> = fc.record({
  name: fc.oneof(
    { weight: 8, arbitrary: fc.constant("outputs.out") },
    { weight: 1, arbitrary: fc.constantFrom("out", "taps.attn", "attn", "outputs.attn", "x", "") },
  ),
  dtype: fc.constantFrom("float", "float", "float", "float", "float", "float", "int", "bool"),
  sizes: fc.oneof(
    { weight: 8, arbitrary: fc.constant([0, 0, 0]) },
    { weight: 1, arbitrary: fc.array(fc.integer({ min: -1, max: 1 }), { maxLength: 4 }) },
  ),
  at: fc.nat(),
  value: fc.oneof(fc.double(), fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, 0, 1e-320, 1e300)),
  every: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 2000 })),
});

/** The output of attention to the last image at or before each token: the text times the mean of the image's latents. */
function attended(inputs: ReadonlyMap<string, Stored>): { shape: readonly number[]; values: Float64Array } {
  const [x, media, located] = ["x", "media", "media_locations"].map((name) => inputs.get(`inputs.${name}`));
  if (!(x instanceof Tensor && media instanceof Tensor))
    throw new Error("there is no inputs.x or inputs.media");
  const [b = 0, l = 0, d = 0] = x.shape;
  const [, images = 0, latents = 0] = media.shape;
  const [text, features] = [flat(x.data), flat(media.data)];
  const isImage = located instanceof Bool ? located.flat() : new Uint8Array(b * l).fill(1);
  const values = new Float64Array(b * l * d);
  for (let row = 0; row < b; row++) {
    let image = 0;
    for (let at = row * l; at < (row + 1) * l; at++) {
      image += isImage[at] ?? 0;
      if (image === 0 || image > images) continue;
      for (let i = 0; i < d; i++) {
        let sum = 0;
        for (let k = 0; k < latents; k++)
          sum += features[(((row * images + image - 1) * latents + k) * d + i) as number] ?? 0;
        values[at * d + i] = ((text[at * d + i] ?? 0) * sum) / latents;
      }
    }
  }
  return { shape: x.shape, values };
}

/** The right answer with other numbers, another shape, name or type. */
function answer(
  inputs: ReadonlyMap<string, Stored>,
  { name, dtype, sizes, at, value, every }: Damage,
): Answer {
  const right = attended(inputs);
  const shape =
    sizes.length === 3
      ? right.shape.map((n, i) => Math.max(0, n + (sizes[i] ?? 0)))
      : sizes.map((n) => n + 2);
  const n = shape.reduce((a, b) => a * b, 1);
  const values = Float64Array.from({ length: n }, (_, i) =>
    every > 0 && (i + at) % every === 0 ? value : (right.values[i % right.values.length] ?? 0),
  );
  const out: Stored =
    dtype === "float"
      ? new Tensor(shape, view(values, shape))
      : dtype === "int"
        ? new Int(shape, Int32Array.from(values))
        : new Bool(
            shape,
            Uint8Array.from(values, (v) => Number(v > 0)),
          );
  return { outputs: new Map([[name, out]]) };
}

export const adapters = target<readonly Damage[]>({
  inputs: fc.array(damage, { minLength: 1, maxLength: 3 }),
  asynchronous: true,
  size: () => 100_000,
  async read(list) {
    let n = 0;
    const shape = { dim: 4, dimMedia: 4, latents: 2 };
    const result = await findConvention(
      async (_, inputs) => answer(inputs, list[n++ % list.length] as Damage),
      {
        shape,
      },
    );
    JSON.parse(JSON.stringify(probeDocument(result, null)));
  },
});

interface Written {
  readonly skipped: string | null;
  readonly outputs: Uint8Array | null;
}

const SHAPE = { dim: 4, dimMedia: 4, latents: 2 };

/** A file with the right answer, damaged or not. */
const outputFile = (): fc.Arbitrary<Uint8Array> => {
  const { shape, values } = attended(inputsOf(calls.full, SHAPE));
  const bytes = writeSafetensors(new Map([["outputs.out", new Tensor(shape, view(values, shape))]]));
  return fc.oneof(fc.constant(bytes), damagedBytes(bytes), brokenFiles);
};

/** The files that a command writes: adapter.json and outputs.safetensors, each absent, right or damaged. */
export const written = target<Written>({
  inputs: fc.record({
    skipped: fc.option(damagedJson([{ skipped: "no cache" }, { note: 1 }]), { nil: null, freq: 2 }),
    outputs: fc.option(fc.constant(null).chain(outputFile), { nil: null, freq: 8 }),
  }),
  size: ({ skipped, outputs }) => (skipped?.length ?? 0) + (outputs?.length ?? 0),
  show: ({ skipped, outputs }) => `${skipped}\n${outputs && Buffer.from(outputs).toString("hex")}`,
  read({ skipped, outputs }, root) {
    const folder = `${root}/written`;
    emptyFolder(folder);
    if (skipped !== null) writeFileSync(`${folder}/adapter.json`, skipped);
    if (outputs !== null) writeFileSync(`${folder}/outputs.safetensors`, outputs);
    answerIn(folder, calls.full, SHAPE, "");
  },
});
