// Targets of the mask debugger: prompts in words, token ids, and recorded tensors.
import fc from "fast-check";
import type { Stored } from "../../../../src/io/safetensors/read.ts";
import { readIds } from "../../../../src/io/token-ids.ts";
import { batchFrom, batchOf, type MaskBatch } from "../../../../src/mask-report/batch.ts";
import { maskDocument } from "../../../../src/mask-report/document.ts";
import { defaultKnown, maskReport } from "../../../../src/mask-report/report.ts";
import { maskText } from "../../../../src/mask-report/text.ts";
import { conventions, type NamedConvention } from "../../../../src/masks/conventions/conventions.ts";
import { tokensOf, tokensOfIds } from "../../../../src/masks/prompts/prompt.ts";
import { Bool, Int, Tensor, view } from "../../../../src/tensor/tensor.ts";
import { damagedText } from "../json.ts";
import { expectThat, target } from "../target.ts";

const convention = fc.constantFrom<NamedConvention>(...Object.values(conventions));

interface Query {
  readonly convention: NamedConvention;
  readonly against: NamedConvention | null;
  readonly cached: boolean;
}

const query: fc.Arbitrary<Query> = fc.record({
  convention,
  against: fc.option(convention, { nil: null }),
  cached: fc.boolean(),
});

/** The whole report, as text and as a document. */
function report(batch: MaskBatch, { convention, against, cached }: Query): void {
  const made = maskReport({ batch, convention, against, known: cached ? defaultKnown(batch) : null });
  const text = maskText(made, { width: 80 });
  expectThat(!/[^\P{Cc}\n]|\p{Bidi_Control}/u.test(text), "no control characters");
  JSON.parse(JSON.stringify(maskDocument(made)));
}

const PIECES = [
  ..."<image> <|image|> </s> <|endofchunk|> <|eot_id|> <pad> <s> <fake_token_around_image> < > <| |> word it's".split(
    " ",
  ),
  ..."\n \r\n \t   \u001b[31m \u202e é 👩‍👩‍👧 漢字 \u0000 \ud800 / - -- ../x \u2028 <image".split(" "),
];
const piece = fc.oneof(fc.constantFrom(...PIECES), fc.string({ maxLength: 6 }));
const prompt = fc.array(piece, { maxLength: 30 }).map((list) => list.join(" "));

interface Prompts extends Query {
  readonly texts: readonly string[];
  readonly pad: "left" | "right";
  readonly images: readonly number[] | undefined;
}

export const prompts = target<Prompts>({
  inputs: fc
    .tuple(
      query,
      fc.record({
        texts: fc.array(prompt, { minLength: 1, maxLength: 3 }),
        pad: fc.constantFrom("left", "right"),
        images: fc.option(fc.array(fc.nat({ max: 6 }), { minLength: 1, maxLength: 3 }), { nil: undefined }),
      }),
    )
    .map(([a, b]) => ({ ...a, ...b })),
  size: ({ texts }) => texts.join("").length,
  read({ texts, pad, images, ...query }) {
    const tokens = texts.map((text) => tokensOf(text)).filter((list) => list.length > 0);
    if (tokens.length > 0) report(batchOf(tokens, { pad, images }), query);
  },
});

const id = fc.oneof(fc.nat({ max: 9 }), fc.integer(), fc.constantFrom(-200, -1, 2 ** 31, 2 ** 53 - 1));
const idFile = fc.oneof(
  fc.array(fc.array(id, { maxLength: 20 }), { maxLength: 4 }).map((list) => JSON.stringify(list)),
  fc
    .array(fc.array(id, { maxLength: 20 }), { maxLength: 4 })
    .map((list) => list.map((l) => l.join(" ")).join("\n")),
  fc.json({ maxDepth: 3 }),
  fc.string(),
);

interface IdFile extends Query {
  readonly bytes: Uint8Array;
  readonly image: number;
}

export const ids = target<IdFile>({
  inputs: fc
    .tuple(query, fc.record({ bytes: damagedText(idFile), image: id }))
    .map(([a, b]) => ({ ...a, ...b })),
  size: ({ bytes }) => bytes.length,
  show: ({ bytes, image }) => `image ${image}: ${JSON.stringify(new TextDecoder().decode(bytes))}`,
  read({ bytes, image, ...query }) {
    const read = readIds(bytes, "ids");
    expectThat(read.flat().every(Number.isSafeInteger), "ids are whole numbers");
    report(batchOf(read.map((list) => tokensOfIds(list, { image, end: 2, pad: 0 }))), query);
  },
});

const size = fc.nat({ max: 5 });
const any = fc.oneof(fc.double(), fc.constantFrom(0, 1, 0.5, Number.NaN, Number.POSITIVE_INFINITY));

const stored: fc.Arbitrary<Stored> = fc
  .tuple(fc.array(size, { maxLength: 4 }), fc.constantFrom("float", "int", "bool"))
  .chain(([shape, kind]) => {
    const n = shape.reduce((a, b) => a * b, 1);
    return fc.array(any, { minLength: n, maxLength: n }).map((values): Stored => {
      if (kind === "bool")
        return new Bool(
          shape,
          Uint8Array.from(values, (x) => Number(x > 0)),
        );
      if (kind === "int") return new Int(shape, Int32Array.from(values));
      return new Tensor(shape, view(Float64Array.from(values), shape));
    });
  });

const tensorsNamed = (names: readonly string[]) =>
  fc
    .array(fc.tuple(fc.constantFrom(...names), stored), { maxLength: 5 })
    .map((list) => new Map<string, Stored>(list));

interface Recorded extends Query {
  readonly inputs: ReadonlyMap<string, Stored>;
  readonly taps: ReadonlyMap<string, Stored>;
  readonly image: number | undefined;
}

/** Tensors of any shape under the names that a recorded forward pass uses. */
export const recorded = target<Recorded>({
  inputs: fc
    .tuple(
      query,
      fc.record({
        inputs: tensorsNamed(["media_locations", "text", "input_ids", "media", "images", "embeds"]),
        taps: tensorsNamed(["attn", "scores", "0.attn", "mask"]),
        image: fc.constantFrom(undefined, 1, 3),
      }),
    )
    .map(([a, b]) => ({ ...a, ...b })),
  size: ({ inputs, taps }) =>
    [...inputs.values(), ...taps.values()].reduce(
      (sum, { shape }) => sum + 8 * shape.reduce((a, b) => a * b, 1),
      100,
    ),
  read: ({ inputs, taps, image, ...query }) => report(batchFrom("file", inputs, taps, { image }), query),
});
