// Evidence that the trained model describes the right picture: captions of held-out pairs, and answers to questions about the second of two.
import { attentionMaps } from "../../generation/attention-maps.ts";
import { generate } from "../../generation/generate.ts";
import type { Backend } from "../../kernels/backend.ts";
import { type Convention, conventions } from "../../masks/conventions/conventions.ts";
import type { LanguageModel } from "../../models/language-model.ts";
import { withStep } from "../../models/media-writer.ts";
import { FlamingoLayer } from "../../models/open-flamingo/flamingo-layer.ts";
import { type WriterWithStep, writerOf } from "../../models/writer.ts";
import { BLANK, type Picture } from "../digits/data.ts";
import { accuracy, type EvidenceRow, mean, rotated, sequencesFrom } from "../digits/evidence.ts";
import { type SmolDigits, withLayers } from "./model.ts";
import { digitIn, promptIds } from "./texts.ts";
import { sequenceTensors } from "./vision.ts";

type Pairs = readonly (readonly Picture[])[];
type Ids = readonly number[];

/** The model with pictures, under another convention if one is given; without pictures it is the language model alone. */
export function writerFor(
  { flamingo }: SmolDigits,
  pairs: Pairs,
  convention?: Convention | "no pictures",
): WriterWithStep {
  const { model } = flamingo;
  const { options } = model;
  if (convention === "no pictures") return writerOf(languageAlone(model.lang_encoder), options.count);
  const text = { ...options, convention: convention ?? options.convention };
  const images = sequenceTensors(pairs);
  const latents = () => model.perceive(images);
  return withStep({ model, decoder: model.lang_encoder, text, latents }); // [smollm2Digits.conventions]
}

/** The language model without its gated layers. */
const languageAlone = (language: LanguageModel): LanguageModel =>
  withLayers(
    language,
    language.layers.map((layer) => (layer instanceof FlamingoLayer ? layer.decoder_layer : layer)),
  );

/** Tokens of an answer at most. */
const LONGEST = 10;
/** Rows that are generated together. */
const BATCH = 64;

const inBatches = async <T, R>(
  all: readonly T[],
  of: (batch: readonly T[]) => Promise<readonly R[]>,
): Promise<R[]> => {
  const results: R[] = [];
  for (let from = 0; from < all.length; from += BATCH)
    results.push(...(await of(all.slice(from, from + BATCH))));
  return results;
};

/** Continues prompts, each about its pair of pictures, and returns what is added. */
async function continued(
  model: SmolDigits,
  pairs: Pairs,
  prompts: readonly Ids[],
  backend: Backend,
  convention?: Convention | "no pictures",
): Promise<number[][]> {
  const { eocTokenId: stop, mediaTokenId } = model.flamingo.model.options;
  const rows = pairs.map((pair, i) => ({ pair, prompt: prompts[i] ?? [] }));
  return inBatches(rows, async (batch) => {
    const writer = writerFor(
      model,
      batch.map(({ pair }) => pair),
      convention,
    );
    const options = { stop, maxTokens: LONGEST, never: [mediaTokenId], backend };
    const given = batch.map(({ prompt }) => prompt);
    const texts = await generate(writer, given, options);
    return texts.map((ids, i) => ids.slice(given[i]?.length));
  });
}

/** Token ids of greedy captions, [pair][picture]. The second caption follows the first one. */
export async function captionsOf(
  model: SmolDigits,
  pairs: Pairs,
  backend: Backend,
  convention?: Convention | "no pictures",
): Promise<number[][][]> {
  const { tokenizer } = model.flamingo;
  const begun = pairs.map(() => promptIds(tokenizer, "caption"));
  const first = await continued(model, pairs, begun, backend, convention);
  const between = begun.map((ids, i) => promptIds(tokenizer, "caption", [...ids, ...(first[i] ?? [])]));
  const second = await continued(model, pairs, between, backend, convention);
  return pairs.map((_, i) => [first[i] ?? [], second[i] ?? []]);
}

/** The text of generated ids, without the end of the chunk. */
export const textOf = ({ flamingo }: SmolDigits, ids: Ids): string =>
  flamingo.tokenizer.decode(ids.filter((id) => id !== flamingo.model.options.eocTokenId));

const digitsOf = (model: SmolDigits, captions: readonly (readonly Ids[])[]): (number | null)[][] =>
  captions.map((row) => row.map((ids) => digitIn(textOf(model, ids))));

/** The conventions that differ on pairs: each shows a text other pictures. */
const CONVENTIONS: readonly (Convention | "no pictures")[] = [
  conventions["open-flamingo@2.0.1 all-previous"],
  conventions["flamingo-pytorch@0.0.3"],
  conventions.paper,
  conventions["paper next"],
  conventions["open-flamingo@0.0.2"],
  "no pictures",
];

/** A row of the evidence: the condition, and which of the captions were right. */
export type CaptionRow = Omit<EvidenceRow, "pictures"> & { readonly pairs: number };

async function captionRow(
  model: SmolDigits,
  shown: Pairs,
  backend: Backend,
  condition: CaptionRow["condition"],
  { expected = shown, convention }: { expected?: Pairs; convention?: Convention | "no pictures" } = {},
): Promise<CaptionRow> {
  const captions = await captionsOf(model, shown, backend, convention);
  return { condition, pairs: shown.length, ...accuracy(digitsOf(model, captions), expected) };
}

/** Pairs of held-out pictures, in an order that is the same in every run. */
export const pairsFrom = (pictures: readonly Picture[]): Picture[][] => sequencesFrom(pictures, 2);

/** Pairs for each convention, which are fewer because no bound depends on them. */
const CONVENTION_PAIRS = 50;

/** Captions of unchanged, swapped and blanked pairs, and of some pairs under other conventions. */
export async function* captionRows(
  model: SmolDigits,
  pictures: readonly Picture[],
  backend: Backend,
): AsyncGenerator<CaptionRow> {
  const pairs = pairsFrom(pictures);
  const distinct = pairs.filter(([a, b]) => a?.digit !== b?.digit);
  const blanks = pairs.map((pair) => pair.map(() => BLANK));
  yield await captionRow(model, pairs, backend, { kind: "as-trained" });
  yield await captionRow(model, distinct.map(rotated), backend, { kind: "swapped" }); // [smollm2Digits.swapped]
  yield await captionRow(model, blanks, backend, { kind: "blanked" }, { expected: pairs }); // [smollm2Digits.blanked]
  for (const convention of CONVENTIONS) {
    const name = typeof convention === "string" ? convention : convention.name;
    const some = pairs.slice(0, CONVENTION_PAIRS);
    yield await captionRow(model, some, backend, { kind: "convention", convention: name }, { convention });
  }
}

/** A place of the question, and the shares of answers that name the first and the second picture of a pair of different digits. */
export interface QuestionRow {
  readonly question: "after-caption" | "second" | "first";
  readonly pairs: number;
  readonly first: number;
  readonly second: number;
}

/** Answers to a question. "after-caption": it follows the caption of the first picture, and the second picture is directly before it. */
async function questionRow(
  model: SmolDigits,
  pairs: Pairs,
  question: QuestionRow["question"],
  backend: Backend,
): Promise<QuestionRow> {
  const { tokenizer } = model.flamingo;
  const prompts =
    question === "after-caption"
      ? (await captionsOf(model, pairs, backend)).map(([first = []]) =>
          promptIds(tokenizer, "question", [...promptIds(tokenizer, "caption"), ...first]),
        )
      : pairs.map(() => promptIds(tokenizer, question));
  const answers = await continued(model, pairs, prompts, backend);
  const named = answers.map((ids) => digitIn(textOf(model, ids)));
  const share = (place: number): number =>
    mean(named.map((digit, i) => Number(digit === pairs[i]?.[place]?.digit)));
  return { question, pairs: pairs.length, first: share(0), second: share(1) };
}

/** Answers to questions about held-out pairs of different digits. */
export async function* questionRows(
  model: SmolDigits,
  pictures: readonly Picture[],
  backend: Backend,
): AsyncGenerator<QuestionRow> {
  const distinct = pairsFrom(pictures).filter(([a, b]) => a?.digit !== b?.digit);
  for (const question of ["after-caption", "second", "first"] as const)
    yield await questionRow(model, distinct, question, backend); // [smollm2Digits.questions]
}

/** The attention of each token of a text to both pictures, averaged over layers and heads, under two masks. */
export interface AttentionRow {
  readonly token: string;
  readonly trained: readonly number[];
  readonly allPrevious: readonly number[];
}

/** Attention of one pair's captions to the pictures. [smollm2Digits.attention] */
export async function attentionOf(
  model: SmolDigits,
  pair: readonly Picture[],
  backend: Backend,
): Promise<AttentionRow[]> {
  const { model: flamingo, tokenizer } = model.flamingo;
  const [[first = [], second = []] = []] = await captionsOf(model, [pair], backend);
  const row = [...promptIds(tokenizer, "caption", [...promptIds(tokenizer, "caption"), ...first]), ...second];
  const weights = flamingo.crossAttentionWeights;
  const under = async (convention?: Convention): Promise<number[][]> => {
    const options = { weights, images: pair.length, backend };
    const maps = await attentionMaps(writerFor(model, [pair], convention), row, options);
    return row.map((_, token) =>
      pair.map((__, picture) => mean(maps.map((map) => map[token]?.[picture] ?? 0))),
    );
  };
  const [trained, all] = [await under(), await under(conventions["open-flamingo@2.0.1 all-previous"])];
  return row.map((id, i) => ({
    token: tokenizer.decode([id]),
    trained: trained[i] ?? [],
    allPrevious: all[i] ?? [],
  }));
}
