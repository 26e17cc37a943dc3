// The executable half of 53-generation.md. Ids of whole models are compared with the release in golden/cases/open-flamingo.
import { expect, test } from "vitest";
import { beamSearch } from "../../../src/generation/beam-search.ts";
import { generate } from "../../../src/generation/generate.ts";
import { type GenerateFlamingoOptions, generateFlamingo } from "../../../src/generation/padded/flamingo.ts";
import { LlamaForCausalLM } from "../../../src/models/language-models/llama.ts";
import type { OpenFlamingo } from "../../../src/models/open-flamingo/flamingo.ts";
import type { OpenFlamingoProfile } from "../../../src/models/open-flamingo/profiles.ts";
import { bool, type Int } from "../../../src/tensor/tensor.ts";
import { END, IMAGE, images, smallFlamingo, text } from "../../support/fixtures/open-flamingo/small.ts";
import { list } from "../../support/oracles/modules.ts";
import { rowOf } from "../../support/properties/models.ts";
import { refusalOf } from "../../support/properties/refusals.ts";

const PAD = 8;
const LM_END = 2; // the end token of the language model, if it had one
const sizes = { vocabSize: 9, hiddenSize: 8, intermediateSize: 6, numAttentionHeads: 2, numHiddenLayers: 2 };
const model = (profile: OpenFlamingoProfile = "flamboyance", seed = 1) =>
  smallFlamingo(new LlamaForCausalLM(sizes), { profile, behaviour: { surplusImages: "accept" } }, seed);

const prompts = [
  [3, IMAGE, 1],
  [IMAGE, 3, 4, 1, IMAGE],
];
const langX = text([PAD, PAD, 3, IMAGE, 1], [IMAGE, 3, 4, 1, IMAGE]);
const attentionMask = bool("b l", [
  [false, false, true, true, true],
  [true, true, true, true, true],
]);
const visionX = images(2, 2);
const given = { visionX, langX, attentionMask, maxTokens: 6 };
const rows = async (of: OpenFlamingo, options: Partial<GenerateFlamingoOptions> = {}): Promise<number[][]> =>
  list<number[]>(await generateFlamingo(of, { ...given, ...options })).map((row) => [...row]);
/** The tokens that each text of the batch gets alone, by greedy decoding up to the first of the stop tokens. */
const alone = async (of: OpenFlamingo, stop: readonly number[]): Promise<number[][]> =>
  Promise.all(
    prompts.map(async (prompt, b) => {
      const [row = []] = await generate(of.withMedia(rowOf(visionX, b)), [prompt], {
        stop,
        maxTokens: 6,
      });
      return row.slice(prompt.length);
    }),
  );

/** The first seed of weights whose two rows end after different numbers of tokens, at a stop token. */
async function uneven(stop: readonly number[], profile?: OpenFlamingoProfile) {
  for (let seed = 1; seed < 200; seed++) {
    const of = model(profile, seed);
    const added = await alone(of, stop);
    const [one = 0, two = 0] = added.map(({ length }) => length);
    if (one !== two && Math.min(one, two) > 1) return { of, added, longest: Math.max(one, two) };
  }
  throw new Error("no weights end the rows apart");
}

test("[openflamingo.stop] [openflamingo.fill] rows end at the end of a chunk, and are filled up with it or with the padding token", async () => {
  const { of, added, longest } = await uneven([END]);
  const expected = (fill: number) =>
    added.map((tokens, b) => [
      ...(list<number[]>(langX)[b] ?? []),
      ...tokens,
      ...new Array<number>(longest - tokens.length).fill(fill),
    ]);
  expect(await rows(of)).toEqual(expected(END));
  expect(await rows(of, { padTokenId: PAD })).toEqual(expected(PAD));
  const ended = await rows(of, { stop: [LM_END, END], padTokenId: PAD });
  const [first = []] = await alone(of, [LM_END, END]);
  expect(ended[0]?.slice(5, 5 + first.length)).toEqual(first);
  expect((await rows(of, { stop: [] })).every((row) => row.length === 11)).toBe(true);
});

test("[openflamingo.stop] the end token of the language model ends no row", async () => {
  for (let seed = 1; seed < 200; seed++) {
    const of = model("flamboyance", seed);
    const [endless = []] = await rows(of, { stop: [] });
    const begin = endless.slice(0, endless.indexOf(LM_END, 5) + 2);
    if (begin.length < 7 || begin.length > 11 || begin.includes(END)) continue;
    expect((await rows(of))[0]?.slice(0, begin.length)).toEqual(begin); // a token follows it
    return;
  }
  throw new Error("no weights choose the token");
});

test("[openflamingo.inferred-mask] the padding token is padding where there is no mask", async () => {
  const of = model();
  const expected = await rows(of, { padTokenId: PAD });
  expect(await rows(of, { attentionMask: null, padTokenId: PAD })).toEqual(expected);
  const everything = bool("b l", [new Array(5).fill(true), new Array(5).fill(true)]);
  const text = { stop: [END, PAD], padTokenId: PAD };
  const unmasked = await rows(of, { ...text, attentionMask: everything });
  expect(await rows(of, { ...text, attentionMask: null })).toEqual(unmasked); // it ends texts
  const whole = await rows(of, { attentionMask: everything });
  expect(await rows(of, { attentionMask: null })).toEqual(whole);
});

test("[openflamingo.returns] images are given once for each text, with several drawn rows and with beams", async () => {
  const of = model();
  const drawn = await rows(of, { seed: 3, returns: 3 });
  expect(drawn.length).toBe(6);
  const prompt = list<readonly number[]>(langX);
  expect(drawn.map((row) => row.slice(0, 5))).toEqual([0, 0, 0, 1, 1, 1].map((b) => [...(prompt[b] ?? [])]));
  expect(new Set(drawn.map(String)).size).toBeGreaterThan(2);
  const beams = { beams: 3, returns: 2, lengthPenalty: 0 };
  const found = await beamSearch(of.withMedia(visionX), prompts, { ...beams, stop: END, maxTokens: 6 });
  const best = await rows(of, { ...beams, padTokenId: PAD });
  found.flat().forEach(({ tokens }, i) => {
    expect(best[i]?.slice(5, 5 + tokens.length)).toEqual([...tokens]);
    expect(best[i]?.slice(5 + tokens.length).every((id) => id === PAD)).toBe(true);
  });
});

test("[openflamingo.seen-prompts] processors see padding in the releases only", async () => {
  const never = { stop: [], noRepeatNgram: 1, maxTokens: 3 }; // no token of the prompt may follow
  const followed = async (profile: OpenFlamingoProfile) => {
    for (let seed = 1; seed < 100; seed++) {
      const [row = []] = await rows(model(profile, seed), never);
      if (row.slice(5, 8).includes(PAD)) return true;
    }
    return false;
  };
  expect(await followed("flamboyance")).toBe(true);
  expect(await followed("open-flamingo@2.0.1")).toBe(false);
});

test("[generate.left-padding] padding behind a text is refused, and so is a row of padding", async () => {
  for (const row of [
    [false, true, true, true, false],
    [true, false, true, true, true],
    [false, false, false, false, false],
  ]) {
    const mask = bool("b l", [[true, true, true, true, true], row]);
    const error = await refusalOf(() => generateFlamingo(model(), { ...given, attentionMask: mask }));
    expect([error.rule, error.message]).toEqual([
      "generate.left-padding",
      expect.stringMatching(/row 1 of attention_mask .*: pad in front of the text/),
    ]);
  }
});

test("generation leaves cached media as they were, also where it fails", async () => {
  const of = model();
  of.cacheMedia({ inputIds: langX, visionX });
  const call = {
    langX,
    attentionMask: bool(
      "b s",
      list<boolean[]>(attentionMask).map((row) => row.map(Boolean)),
    ),
    clearConditionedLayers: false,
  };
  const before = list(of.forward(call).logits);
  await rows(of);
  expect(list(of.forward(call).logits)).toEqual(before);
  const wrong: Int<"b l"> = text([1, IMAGE], [IMAGE, 99]);
  const error = await refusalOf(() =>
    generateFlamingo(of, { visionX: images(2, 1), langX: wrong, maxTokens: 2 }),
  );
  expect(error.rule).toBe("ops.gather");
  expect(list(of.forward(call).logits)).toEqual(before);
});

test("a model that is no OpenFlamingo, and options that are none, are refused by name", async () => {
  const options = undefined as unknown as GenerateFlamingoOptions;
  const flamingo = model();
  expect((await refusalOf(() => generateFlamingo(flamingo, options))).message).toContain(
    "generateFlamingo takes an object of options, not undefined",
  );
  const other = flamingo.lang_encoder as unknown as OpenFlamingo;
  expect((await refusalOf(() => generateFlamingo(other, options))).message).toContain(
    "generateFlamingo takes an OpenFlamingo, not an object (LlamaForCausalLM)",
  );
  expect(() => flamingo.loss(undefined as never)).toThrow("OpenFlamingo.loss takes an object of options");
  expect(() => flamingo.cacheMedia(undefined as never)).toThrow("cacheMedia takes an object of options");
  expect(() => flamingo.cacheMedia({} as never)).toThrow("OpenFlamingo.cacheMedia needs inputIds");
});
