// The executable half of 79-kosmos-digits.md. The full run takes minutes; these tests take a few steps, or measure a reader whose answers are known.
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, unlinkSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { BLANK, type Picture, readDigits } from "../../../src/demos/digits/data.ts";
import { type Embeddings, embeddings } from "../../../src/demos/digits/embeddings.ts";
import { reachChart } from "../../../src/demos/kosmos-digits/chart.ts";
import { type EncodedDocument, encoded, randomDocument } from "../../../src/demos/kosmos-digits/documents.ts";
import { captionDigits, evidenceOf, reachOf } from "../../../src/demos/kosmos-digits/evidence.ts";
import { flamingoReader } from "../../../src/demos/kosmos-digits/flamingo.ts";
import { saveKosmosDigits } from "../../../src/demos/kosmos-digits/folder.ts";
import { digitsKosmos, kosmosReader } from "../../../src/demos/kosmos-digits/kosmos.ts";
import type { Reader } from "../../../src/demos/kosmos-digits/reader.ts";
import {
  type KosmosDigitsReport,
  kosmosDigitsDocument,
  kosmosDigitsMarkdown,
} from "../../../src/demos/kosmos-digits/report.ts";
import {
  canResume,
  type KosmosDigitsRun,
  removeCheckpoints,
  trainSeed,
} from "../../../src/demos/kosmos-digits/run.ts";
import { documentsAt, trainReader } from "../../../src/demos/kosmos-digits/training.ts";
import {
  digitNamed,
  digitsTokenizer,
  IDS,
  VOCABULARY_SIZE,
} from "../../../src/demos/kosmos-digits/vocabulary.ts";
import { digitClassifier, pictureTensors } from "../../../src/demos/smollm2-digits/vision.ts";
import { generate } from "../../../src/generation/generate.ts";
import { readImageFile } from "../../../src/io/images/read.ts";
import { loadTokenizer } from "../../../src/io/tokenizers/load.ts";
import type { Tokenizer } from "../../../src/io/tokenizers/tokenizer.ts";
import { reference } from "../../../src/kernels/reference/index.ts";
import { simd } from "../../../src/kernels/simd/index.ts";
import { kosmosLayout } from "../../../src/models/kosmos/layout.ts";
import { initialize, stateDict } from "../../../src/nn/state-dict.ts";
import { loadKosmos } from "../../../src/pretrained/kosmos/folder.ts";
import { generator } from "../../../src/tensor/random.ts";
import { flat, Tensor, view } from "../../../src/tensor/tensor.ts";
import { ForeignCheckpointError } from "../../../src/training/checkpoint.ts";
import { flamboyance } from "../../support/fixtures/command.ts";
import { temporary } from "../../support/fixtures/temporary.ts";

const WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
const ORDINALS = ["first", "second", "third"];
const digits = readDigits("golden/data/digits.safetensors");
const workspace = temporary();
const backend = reference("float64");
/** For runs, whose figures are compared with each other alone. */
const fast = await simd();
afterAll(() => fast.close());
const classifier = digitClassifier(5);
const features: Embeddings = new Map();
let tokenizer: Tokenizer;
beforeAll(async () => {
  tokenizer = await digitsTokenizer();
  const encode = (pictures: readonly Picture[]) => classifier.tower.forward(pictureTensors(pictures));
  const shown = [...digits.train, ...digits.heldOut.slice(0, 30), BLANK];
  for (const [picture, one] of await embeddings({ model: classifier.tower, encode }, shown, backend))
    features.set(picture, one);
});

function newKosmos(seed = 1): Reader {
  const model = digitsKosmos(digitClassifier(5).tower);
  initialize(model, seed);
  return kosmosReader(model);
}

describe("documents", () => {
  test("[kosmosDigits.documents] one to three pictures, five kinds, and the digits of the pictures", () => {
    const draw = generator(1, "test");
    const kinds = new Map<string, number>();
    const number = "[a-z]+";
    const one = "(?:An image of an? N|A handwritten N|This is an? N)\\.".replaceAll("N", number);
    const forms = {
      captions: new RegExp(`^(\\[\\]${one}){1,3}$`),
      behind: new RegExp(
        `^(\\[\\]){1,3}Question: Which digit (is this|does the (${ORDINALS.join("|")}) picture show)\\? Answer: ${number}\\.$`,
      ),
      before: new RegExp(
        `^Question: Which digit does the (${ORDINALS.join("|")}) picture show\\?(\\[\\]){1,3}Answer: ${number}\\.$`,
      ),
      introduction: new RegExp(`^Here is a picture:\\[\\]${one}$`),
      last: new RegExp(`^Next is an? ${number}:\\[\\]$`),
    };
    const several: number[] = [];
    for (let i = 0; i < 2000; i++) {
      const document = randomDocument(digits.train, draw);
      const pictures = document.filter((segment) => typeof segment !== "string");
      expect(pictures.length).toBeGreaterThanOrEqual(1);
      expect(pictures.length).toBeLessThanOrEqual(3);
      const text = document.map((segment) => (typeof segment === "string" ? segment : "[]")).join("");
      const kind = Object.entries(forms).find(([, form]) => form.test(text))?.[0];
      expect(kind, text).toBeDefined();
      kinds.set(kind ?? "", (kinds.get(kind ?? "") ?? 0) + 1);
      const named = (text.match(/[a-z]+/g) ?? []).flatMap((word) =>
        WORDS.includes(word) ? [WORDS.indexOf(word)] : [],
      );
      const shown = pictures.map(({ digit }) => digit);
      const asked = ORDINALS.findIndex((ordinal) => text.includes(`the ${ordinal} picture`));
      expect(named, text).toEqual(
        kind === "behind" || kind === "before"
          ? [shown[Math.max(0, asked)]]
          : named.length > 1
            ? shown
            : named,
      );
      if (kind === "introduction" || kind === "last") expect(named).toEqual([shown[0]]);
      if (kind === "behind") expect(text.includes("is this")).toBe(shown.length === 1);
      if (kind === "behind" || kind === "before") several.push(Number(shown.length > 1));
      expect(/\ba eight|an (?!eight)/.test(text), text).toBe(false);
    }
    // Shares of the chapter; three standard deviations of a share of 0.35 among 2000 are 0.032.
    const shares = { captions: 0.35, behind: 0.3, before: 0.2, introduction: 0.1, last: 0.05 };
    for (const [kind, share] of Object.entries(shares))
      expect(Math.abs((kinds.get(kind) ?? 0) / 2000 - share), kind).toBeLessThan(0.032);
    // 80 % are about several at any rate; of the others two of three have more than one picture.
    const mean = several.reduce((sum, x) => sum + x, 0) / several.length;
    expect(Math.abs(mean - (0.8 + (0.2 * 2) / 3))).toBeLessThan(0.03);
  });

  test("[kosmosDigits.vocabulary] words and signs are tokens of their own, and the folder has the same tokenizer", async () => {
    const folder = join(workspace, "tokenizer");
    const model = digitsKosmos(classifier.tower);
    initialize(model, 1);
    await saveKosmosDigits(folder, model, digits.heldOut);
    const loaded = await loadTokenizer(folder);
    expect(loaded.size).toBe(VOCABULARY_SIZE);
    expect([loaded.bos, loaded.pad, loaded.eos, loaded.unk]).toEqual([0, 1, 2, 3]);
    expect([loaded.tokenToId("<image>"), loaded.tokenToId("</image>")]).toEqual([IDS.image, IDS.imageEnd]);
    const draw = generator(2, "test");
    for (let i = 0; i < 100; i++)
      for (const segment of randomDocument(digits.train, draw)) {
        if (typeof segment !== "string") continue;
        const words = segment.match(/[A-Za-z]+|[.?:]/g) ?? [];
        const ids = tokenizer.encode(segment, { special: false });
        expect(ids.map((id) => (tokenizer.idToToken(id) ?? "").replace("▁", ""))).toEqual([...words]);
        expect(loaded.encode(segment)).toEqual(ids);
        expect(loaded.decode(ids)).toBe(segment);
      }
    expect(loaded.decode(loaded.encode("A cat of three."))).toBe("A cat of three.");
    expect(loaded.encode("A cat of three.")).not.toContain(3);
  });

  test("[kosmosDigits.accuracy] a text names a digit if it has one number and no other", () => {
    const named = (text: string) => digitNamed(tokenizer.encode(text));
    for (const [digit, word] of WORDS.entries()) expect(named(`An image of a ${word}.`)).toBe(digit);
    expect(named("seven seven.")).toBe(7);
    for (const text of ["one or two", "", "An image of a.", "7"]) expect(named(text)).toBeNull();
  });
});

describe("readers", () => {
  /** −log p of each token that follows, from the logits of one document: a loop over the sequence that self-attention reads. */
  function lossByHand(reader: Reader, document: EncodedDocument): { sum: number; targets: number[] } {
    const sequence = reader.sequence(document);
    const logits = reader.logits(document, features);
    const [n = 0, values] = [logits.shape.at(-1), flat(logits.data)];
    let sum = 0;
    const targets: number[] = [];
    for (const [at, position] of sequence.entries()) {
      const following = at + 1 < sequence.length ? sequence[at + 1] : IDS.eos;
      const isFlamingo = reader.name === "FlamingoPaLM";
      const isVector = (one: typeof position | undefined) => typeof one === "object";
      if (!isFlamingo && (isVector(position) || isVector(following))) continue;
      const target = typeof following === "number" ? following : IDS.image;
      if (at === 0 && target === IDS.image) continue;
      const row = [...values.slice(at * n, (at + 1) * n)];
      const total = Math.log(row.reduce((all, x) => all + Math.exp(x), 0));
      sum += total - (row[target] ?? Number.NaN);
      targets.push(target);
    }
    return { sum, targets };
  }

  test("[kosmosDigits.targets] the loss is the mean over tokens, which are the same for both models", () => {
    const documents = documentsAt({ digits, tokenizer, seed: 3 }, 0, 4);
    const targets = [newKosmos(), flamingoReader(1)].map((reader) => {
      const all = documents.map((document) => lossByHand(reader, document));
      const count = all.reduce((sum, one) => sum + one.targets.length, 0);
      const mean = all.reduce((sum, one) => sum + one.sum, 0) / count;
      const loss = flat(reader.loss(documents, features).data)[0] ?? Number.NaN;
      expect(Math.abs(loss - mean), reader.name).toBeLessThan(1e-9);
      return all.map((one) => one.targets);
    });
    expect(targets[0]).toEqual(targets[1]);
    const words = documents.map(({ ids }) => ids.filter((id) => id !== null));
    expect(targets[0]?.map((row) => row.filter((id) => id !== IDS.image && id !== IDS.eos))).toEqual(words);
  });

  test("[kosmosDigits.lengths] a picture is six positions of Kosmos and one of FlamingoPaLM", () => {
    const [a, b] = digits.train as [Picture, Picture];
    const document = encoded(tokenizer, [a, "An image of a seven.", b, "Answer:"]);
    const text = document.ids.filter((id) => id !== null);
    const kosmos = newKosmos().sequence(document);
    const slots = (picture: number) => Array.from({ length: 4 }, () => ({ picture }));
    const around = (picture: number) => [IDS.image, ...slots(picture), IDS.imageEnd];
    expect(kosmos).toEqual([0, ...around(0), ...text.slice(0, 6), ...around(1), ...text.slice(6)]);
    expect(flamingoReader(1).sequence(document)).toEqual([
      0,
      { picture: 0 },
      ...text.slice(0, 6),
      { picture: 1 },
      ...text.slice(6),
    ]);
  });

  test("[kosmosDigits.seeded] the same seed gives the same documents and weights, bit for bit; both models read the same documents", async () => {
    const of = (seed: number, step: number) => documentsAt({ digits, tokenizer, seed }, step, 5);
    expect(of(1, 0)).toEqual(of(1, 0));
    expect(of(1, 0)).not.toEqual(of(2, 0));
    expect(of(1, 0)).not.toEqual(of(1, 1));
    const plan = { steps: 2, rows: 2, learningRate: 1e-2 };
    for (const make of [() => newKosmos(), () => flamingoReader(1)]) {
      const trained = async (seed: number) => {
        const seen: unknown[] = [];
        const reader = make();
        const before = new Map([...stateDict(reader.model)].map(([name, t]) => [name, flat(t.data).join()]));
        const watched: Reader = {
          ...reader,
          loss(documents, known) {
            seen.push(documents);
            return reader.loss(documents, known);
          },
        };
        const material = { digits, tokenizer, seed, backend };
        for await (const _ of trainReader(watched, material, features, plan));
        expect(seen).toEqual([0, 1].map((step) => documentsAt(material, step, 2)));
        const after = new Map([...stateDict(reader.model)].map(([name, t]) => [name, flat(t.data).join()]));
        const changed = [...after].filter(([name, bits]) => before.get(name) !== bits).map(([name]) => name);
        return { after, changed, names: reader.names };
      };
      const [one, again, other] = [await trained(1), await trained(1), await trained(2)];
      expect(again.after).toEqual(one.after);
      expect(other.after).not.toEqual(one.after);
      expect(one.changed.filter((name) => name.startsWith("clip_model."))).toEqual([]);
      expect(one.names.filter((name) => !one.changed.includes(name))).toEqual([]);
    }
  });
});

/** A reader without a model: its answer to a prompt is a function of the pictures and of the text behind the last one. */
function fakeReader(answer: (shown: readonly number[], text: string) => string, most = 5): Reader {
  const textOf = (ids: readonly (number | null)[]) =>
    tokenizer.decode(ids.map((id) => id ?? IDS.image)).replaceAll(" ", "_");
  return {
    ...flamingoReader(1),
    async answers(prompts, known) {
      const { RuleError } = await import("../../../src/tensor/errors.ts");
      expect(new Set(prompts.map(({ ids }) => ids.length)).size).toBe(1);
      return prompts.map(({ ids, pictures }) => {
        if (pictures.length > most && !textOf(ids).includes("Question"))
          throw new RuleError("too many pictures", "resampler.too-many");
        for (const picture of pictures) expect(known.has(picture)).toBe(true);
        const shown = pictures.map(({ digit }) => digit);
        return tokenizer.encode(answer(shown, textOf(ids)), { special: false });
      });
    },
  };
}

const ink = ({ pixels }: Picture): number => [...pixels].reduce((sum, x) => sum + x, 0);

describe("evidence", () => {
  const some = digits.heldOut.slice(0, 30);
  const measured = (reader: Reader) => evidenceOf({ reader, tokenizer, features, backend }, some);
  const named = (digit: number | undefined): string =>
    WORDS[digit ?? -1] ? `a ${WORDS[digit ?? -1]}.` : "a.";

  test("[kosmosDigits.swapped] [kosmosDigits.blanked] [kosmosDigits.questions] a reader of the last picture names it, wherever it stands", async () => {
    const reader = fakeReader((shown) => named(shown.at(-1)));
    const pairs = new Set<string>();
    const watched: Reader = {
      ...reader,
      answers(prompts, known, on) {
        for (const { pictures } of prompts)
          if (pictures.length === 2) pairs.add(pictures.map((picture) => some.indexOf(picture)).join(" "));
        return reader.answers(prompts, known, on);
      },
    };
    const { captions, questions } = await measured(watched);
    // Pairs of different digits are shown in both orders, pairs of one digit in one, and blank ones.
    const orders = [...pairs].filter(
      (pair) => pairs.has(pair.split(" ").reverse().join(" ")) && pair !== "-1 -1",
    );
    const swappedRow = captions.find((row) => row.pictures === 2 && row.condition === "swapped");
    expect(orders.length).toBe(2 * (swappedRow?.sequences ?? NaN));
    expect(pairs).toContain("-1 -1");
    for (const { condition, pictures, result } of captions) {
      const right = condition === "blanked" ? 0 : 1;
      expect(result, `${pictures} ${condition}`).toEqual({
        all: right,
        places: new Array(pictures).fill(right),
      });
    }
    expect(captions.map(({ pictures, condition }) => `${pictures} ${condition}`)).toEqual([
      ...["1 as-trained", "1 blanked", "2 as-trained", "2 swapped", "2 blanked"],
      ...["3 as-trained", "3 swapped", "3 blanked", "4 as-trained", "5 as-trained"],
    ]);
    expect(
      captions.filter(({ condition }) => condition !== "swapped").map(({ sequences }) => sequences),
    ).toEqual([30, 30, 15, 15, 10, 10, 7, 6]);
    for (const { condition, place, pictures, correct, last } of questions)
      expect([correct, last]).toEqual(condition === "blanked" ? [0, 0] : [Number(place === pictures - 1), 1]);
    const places = [1, 2, 3].flatMap((count) =>
      Array.from({ length: count }, (_, place) => `${count} ${place}`),
    );
    expect(
      questions.map(
        ({ question, condition, pictures, place }) => `${question} ${condition} ${pictures} ${place}`,
      ),
    ).toEqual([
      ...["behind", "before"].flatMap((where) => places.map((one) => `${where} as-trained ${one}`)),
      ...["behind blanked 2 0", "behind blanked 2 1"],
    ]);
  });

  test("[kosmosDigits.questions] a reader of the question is right about every picture", async () => {
    const answer = (shown: readonly number[], text: string): string => {
      const asked = ORDINALS.findIndex((ordinal) => text.includes(`the_${ordinal}_picture`));
      return text.includes("Question") ? named(shown[Math.max(0, asked)]) : "a.";
    };
    const { captions, questions } = await measured(fakeReader(answer));
    for (const { condition, correct } of questions) expect(correct).toBe(condition === "blanked" ? 0 : 1);
    for (const { place, pictures, last, condition } of questions)
      if (condition === "as-trained") expect(last).toBe(Number(place === pictures - 1)); // all digits differ
    for (const { result } of captions) expect(result?.all).toBe(0);
  });

  test("[kosmosDigits.accuracy] [kosmosDigits.blanked] [kosmosDigits.text-before] a constant answer is right as often as its digit occurs", async () => {
    const { captions, textBefore } = await measured(fakeReader(() => "a seven."));
    const sevens = some.filter(({ digit }) => digit === 7).length / 30;
    expect(sevens).toBeGreaterThan(0);
    expect(textBefore).toBeCloseTo(sevens, 12);
    expect(captions[0]?.result?.all).toBeCloseTo(sevens, 12);
    expect(captions[1]).toMatchObject({ pictures: 1, condition: "blanked" });
    expect(captions[1]?.result?.all).toBeCloseTo(sevens, 12); // compared with the digits that were removed
    const before: string[] = [];
    await measured(
      fakeReader((shown, text) => {
        if (shown.length === 0) before.push(text);
        return "a.";
      }),
    );
    expect(before).toEqual(["Next_is"]);
  });

  test("captions follow the captions before them", async () => {
    const texts: string[] = [];
    const reader = fakeReader((shown, text) => {
      texts.push(text);
      return named(shown.at(-1));
    });
    const [a, b] = [
      digits.train.find(({ digit }) => digit === 8),
      digits.train.find(({ digit }) => digit === 2),
    ];
    const found = await captionDigits({ reader, tokenizer, features, backend }, [
      [a as Picture, b as Picture],
    ]);
    expect(found).toEqual([[8, 2]]);
    expect(texts.map((text) => text.replaceAll("_", " "))).toEqual([
      "<image> An image of",
      "<image> An image of a eight.<image> An image of",
    ]);
  });

  test("[kosmosDigits.more] a model that refuses four or five pictures has no result; other refusals are errors", async () => {
    const { captions } = await measured(fakeReader((shown) => named(shown.at(-1)), 3));
    expect(captions.filter(({ result }) => result === null).map(({ pictures }) => pictures)).toEqual([4, 5]);
    await expect(measured(fakeReader(() => "a.", 2))).rejects.toThrow("too many pictures");
    const { answers } = flamingoReader(1);
    const flamingo = await evidenceOf(
      { reader: { ...fakeReader(() => "a."), answers }, tokenizer, features, backend: fast },
      some.slice(0, 5),
    );
    expect(flamingo.captions.find(({ pictures }) => pictures === 4)?.result).not.toBeNull();
    expect(flamingo.captions.find(({ pictures }) => pictures === 5)?.result).toBeNull(); // four position embeddings
  });

  test("[kosmosDigits.reach] a change of a picture is the largest change of a logit, and changes nothing before it", async () => {
    const [a, b, c, other] = digits.heldOut as [Picture, Picture, Picture, Picture];
    const fake: Reader = {
      ...flamingoReader(1),
      // Logits at position p: p · (number of the picture + 1) · ink of every picture before p, and its negative half.
      logits(document) {
        const sequence = document.ids;
        const rows = [null, ...sequence].map((_, at) => {
          const seen = document.pictures.filter(
            (__, i) => sequence.slice(0, at).filter((id) => id === null).length > i,
          );
          const sum = seen.reduce((total, picture, i) => total + (i + 1) * ink(picture), 0);
          return [at * sum, (-at * sum) / 2];
        });
        return new Tensor([1, rows.length, 2], view(Float64Array.from(rows.flat()), [1, rows.length, 2]));
      },
    };
    const { positions, changes } = await reachOf({ reader: fake, tokenizer, features, backend }, [
      a,
      b,
      c,
      other,
    ]);
    const places = positions.flatMap((one, at) => (typeof one === "number" ? [at] : []));
    expect(places).toEqual([6, 10, 23]);
    for (const [at, row] of changes.entries())
      for (const [i, change] of row.entries()) {
        const difference = at * (i + 1) * Math.abs(ink([a, b, c][i] as Picture) - ink(other));
        expect(change).toBeCloseTo(at >= (places[i] ?? 0) ? difference : 0, 9);
      }
    for (const reader of [newKosmos(), flamingoReader(1)]) {
      const gates = [...stateDict(reader.model)].filter(([name]) => name.endsWith("attn_gate"));
      for (const [, gate] of gates) gate.assign?.(view(Float64Array.of(1), [1]));
      const reach = await reachOf({ reader, tokenizer, features, backend }, digits.heldOut.slice(0, 4));
      for (const picture of [0, 1, 2]) {
        const first = reach.positions.indexOf(picture);
        expect(reach.changes.slice(0, first).every((row) => row[picture] === 0)).toBe(true);
        expect(reach.changes.slice(first).every((row) => (row[picture] ?? 0) > 0)).toBe(true);
      }
    }
  });

  test("[kosmosDigits.lengths] lengths with one to five captions", async () => {
    const counts = [1, 2, 3, 4, 5];
    const flamingo = await measured(fakeReader(() => "a."));
    // <s>, and for each picture its positions and "An image of a digit ."
    expect(flamingo.lengths).toEqual(counts.map((pictures) => ({ pictures, positions: 1 + 7 * pictures })));
    expect(flamingo.perPicture).toBe(1);
    const { sequence, name } = newKosmos();
    const kosmos = await measured({ ...fakeReader(() => "a."), name, sequence });
    expect(kosmos.lengths).toEqual(counts.map((pictures) => ({ pictures, positions: 1 + 12 * pictures })));
    expect(kosmos.perPicture).toBe(6);
  });
});

const filesBelow = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort();

/** A run of a few steps. */
const runWith = (compare: boolean): KosmosDigitsRun => ({
  digits: { train: digits.train, heldOut: digits.heldOut.slice(0, 10) },
  tokenizer,
  plan: {
    vision: { steps: 2, rows: 4, learningRate: 1e-2 },
    documents: { steps: 2, rows: 2, learningRate: 1e-2 },
  },
  backend: fast,
  compare,
  clock: () => 0,
  seeds: [1, 2],
});

/** Runs are made once. */
const runs = new Map<string, ReturnType<typeof run>>();
function finished(compare: boolean, seed: number): ReturnType<typeof run> {
  const key = `${compare} ${seed}`;
  const one = runs.get(key) ?? run(compare, seed);
  runs.set(key, one);
  return one;
}

async function run(compare: boolean, seed: number, given = runWith(compare)) {
  const steps = trainSeed(given, seed);
  const phases: string[] = [];
  const losses: Record<string, number[]> = { vision: [], Kosmos: [], FlamingoPaLM: [] };
  for (;;) {
    const next = await steps.next();
    if (next.done) return { ...next.value, phases, losses };
    const { phase, step, of, loss } = next.value;
    phases.push(`${phase} ${step}/${of}`);
    losses[phase]?.push(loss);
  }
}

describe("a run", () => {
  test("[kosmosDigits.frozen] the tower is trained first and then left as it is", async () => {
    const { result, phases } = await finished(true, 1);
    expect(result.towerUnchanged).toBe(true);
    expect(phases).toEqual(
      ["vision", "Kosmos", "FlamingoPaLM"].flatMap((phase) => [`${phase} 1/2`, `${phase} 2/2`]),
    );
    expect(result.readers.map(({ name }) => name)).toEqual(["Kosmos", "FlamingoPaLM"]);
    const kosmos = await finished(false, 1);
    expect(kosmos.result.readers).toEqual(result.readers.slice(0, 1)); // the comparison changes nothing
    const untrained = digitClassifier(1).tower;
    const [before, after] = [stateDict(untrained), stateDict(kosmos.kosmos.clip_model)];
    const patches = "embeddings.patch_embedding.weight";
    expect(flat(after.get(patches)?.data as never)).not.toEqual(
      flat(before.get(`vision_model.${patches}`)?.data as never),
    );
    // Every matrix and vector of the Kosmos is counted once, those of the tower not.
    const { parameters } = result.readers[0] ?? { parameters: 0 };
    const state = stateDict(kosmos.kosmos);
    const own = [
      ...new Set([...state].filter(([name]) => !name.startsWith("clip_model.")).map(([, t]) => t)),
    ];
    const buffers = own.filter((t) => t.size === 8).reduce((sum, t) => sum + t.size, 0); // the scales of xPos
    expect(parameters).toBe(own.reduce((sum, t) => sum + t.size, 0) - buffers);
  });

  test("[kosmosDigits.document] losses are means of each hundred steps, and of the steps that are left", async () => {
    const mean = (losses: readonly number[]) => losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
    const short = await finished(true, 1);
    for (const { name, losses } of short.result.readers)
      expect(losses, name).toEqual([{ step: 2, loss: mean(short.losses[name] ?? []) }]);
    const base = runWith(false);
    const plan = { ...base.plan, documents: { steps: 101, rows: 1, learningRate: 1e-3 } };
    const { result, losses } = await run(false, 1, { ...base, plan });
    const taken = losses.Kosmos ?? [];
    expect(taken).toHaveLength(101);
    expect(result.readers[0]?.losses).toEqual([
      { step: 100, loss: mean(taken.slice(0, 100)) },
      { step: 101, loss: taken[100] },
    ]);
  });

  test("[kosmosDigits.folder] the folder captions its pictures as the trained model does", async () => {
    const folder = join(workspace, "folder");
    const { kosmos } = await finished(false, 1);
    await saveKosmosDigits(folder, kosmos, digits.heldOut);
    const files = readdirSync(join(folder, "pictures"))
      .sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10))
      .map((name) => join(folder, "pictures", name));
    expect(files).toHaveLength(10);
    const loaded = await loadKosmos(folder);
    const prompt = kosmosLayout(["image", tokenizer.encode("An image of", { special: false })], {
      tokens: kosmos.options.tokens,
      slots: 4,
      end: false,
    }).ids;
    for (const [i, file] of files.slice(0, 2).entries()) {
      const pixels = loaded.imageProcessor(await readImageFile(file));
      expect([...flat(pixels.data)]).toEqual([...flat(pictureTensors([digits.heldOut[i] as Picture]).data)]);
      const images = new Tensor<"n c h w">([1, 3, 8, 8], view(flat(pixels.data), [1, 3, 8, 8]));
      const texts: number[][] = [];
      for (const model of [kosmos, loaded.model])
        texts.push(
          ...(await generate(model.withMedia({ images }), [prompt], { stop: [], maxTokens: 5, backend })),
        );
      expect(texts[1]).toEqual(texts[0]);
    }
    loaded.close();
  });

  test("[kosmosDigits.document] [kosmosDigits.report] the document has every measurement, the report a cell for each model and seed", async () => {
    const results = structuredClone([(await finished(true, 1)).result, (await finished(false, 1)).result]);
    Object.assign(results[1] ?? {}, { seed: 2, readers: structuredClone(results[0]?.readers) });
    const [first] = results[0]?.readers ?? [];
    const pairs = first?.captions.find(
      ({ pictures, condition }) => pictures === 2 && condition === "as-trained",
    );
    if (pairs?.result) Object.assign(pairs.result, { all: 0.9375, places: [0.875, 1] });
    const { plan } = runWith(true);
    const report: KosmosDigitsReport = {
      backend: "test",
      plan,
      seconds: 61,
      processorSeconds: 99.6,
      results,
    };
    const document = JSON.parse(JSON.stringify(kosmosDigitsDocument(report)));
    expect(Object.keys(document)).toEqual(["backend", "plan", "seconds", "processorSeconds", "seeds"]);
    expect(document.seeds).toHaveLength(2);
    const [seed] = document.seeds;
    expect(Object.keys(seed).sort()).toEqual(["classifier", "models", "seed", "towerUnchanged"]);
    expect(Object.keys(seed.models[0]).sort()).toEqual(
      [
        ...["name", "heldOut", "parameters", "secondsPerStep", "losses", "captions", "questions"],
        ...["textBefore", "reach", "lengths", "perPicture"],
      ].sort(),
    );
    expect(seed.models[0].heldOut.accuracy).toBe(0.9375);
    expect(Object.keys(seed.models[0].heldOut)).toEqual(["accuracy", "swapped", "blanked"]);
    const markdown = kosmosDigitsMarkdown(report);
    expect(markdown).toMatch(
      /^Seeds 1 and 2, backend test: 2 steps of 2 documents for each model, 61 seconds, 100 seconds of processor time\./,
    );
    expect(markdown).toContain("unchanged, bit for bit: yes.");
    const rows = markdown.split("\n");
    expect(rows).toContain("| % of captions correct | Kosmos | FlamingoPaLM |");
    expect(rows.find((row) => row.startsWith("| 2 pictures | "))).toMatch(/^\| 2 pictures \| 93\.8 \/ \d/);
    expect(rows.find((row) => row.startsWith("| 2 pictures: the first |"))).toContain("| 87.5 / ");
    expect(rows.find((row) => row.startsWith("| 2 pictures: the second |"))).toContain("| 100.0 / ");
    expect(rows.find((row) => row.startsWith("| 5 pictures |"))).toMatch(/\| refused \/ refused \|$/);
    expect(rows.find((row) => row.startsWith("| behind 3 pictures, about the second |"))).toMatch(
      /\([\d.]+\)/,
    );
    const chart = reachChart(results[0]?.readers ?? []);
    // [kosmosDigits.chart] a cell for each position and picture; those that a picture does not change are empty.
    const cells = results[0]?.readers.flatMap(({ reach }) => reach.changes.flat()) ?? [];
    expect(chart.match(/fill-opacity/g)).toHaveLength(cells.length);
    expect(chart.match(/fill-opacity="0\.00"/g)).toHaveLength(cells.filter((x) => x === 0).length);
    expect(chart).toContain("&lt;image>");
  });
});

/** The weights of both models of a run with checkpoints, as text exact to the last bit, and its result; null if it stopped at a step. */
async function withCheckpoints(
  name: string,
  { stopAt = "", seed = 1, ...more }: { stopAt?: string; seed?: number } & Partial<KosmosDigitsRun> = {},
) {
  const base = runWith(true);
  const plan = { ...base.plan, documents: { ...base.plan.documents, steps: 5 } };
  const checkpoints = join(workspace, `${name}-`);
  const steps = trainSeed({ ...base, plan, checkpoints, checkpointEvery: 2, ...more }, seed);
  for (;;) {
    const next = await steps.next();
    if (!next.done) {
      if (`${next.value.phase} ${next.value.step}` === stopAt) return null;
      continue;
    }
    const { kosmos, flamingo, result } = next.value;
    const bits = (model: object) =>
      [...stateDict(model)].map(([key, t]) => `${key} ${[...flat(t.data)].join(" ")}`);
    return { result, bits: [bits(kosmos), bits(flamingo ?? {})] };
  }
}

describe("checkpoints", () => {
  let whole: ReturnType<typeof withCheckpoints> | undefined;
  test.each(["vision 1", "Kosmos 3", "FlamingoPaLM 4", "FlamingoPaLM 5"])(
    "[kosmosDigits.resume] a run that stopped behind step %s ends with the weights and the results of one that did not",
    async (stopAt) => {
      whole ??= withCheckpoints("whole");
      const expected = await whole;
      expect(await withCheckpoints(stopAt, { stopAt })).toBeNull();
      const resumed = await withCheckpoints(stopAt, { resume: true });
      expect(resumed?.bits).toEqual(expected?.bits);
      const withoutTimes = (one: typeof expected) => ({
        ...one?.result,
        readers: one?.result.readers.map(({ secondsPerStep: _, ...rest }) => rest),
      });
      expect(withoutTimes(resumed)).toEqual(withoutTimes(expected));
      // [kosmosDigits.document] no time where no step was taken
      const times = resumed?.result.readers.map(({ secondsPerStep }) => secondsPerStep);
      expect(times).toEqual([
        stopAt.startsWith("Flamingo") ? null : 0,
        stopAt === "FlamingoPaLM 5" ? null : 0,
      ]);
    },
  );

  test("[kosmosDigits.resume] a checkpoint of another seed, plan or backend is refused, and more seeds and models may be added", async () => {
    await withCheckpoints("first", { stopAt: "Kosmos 4", seeds: [1] });
    const again = (more: Partial<KosmosDigitsRun> & { seed?: number }) =>
      withCheckpoints("first", { resume: true, seeds: [1], ...more });
    await expect(again({ seed: 2, seeds: [2] })).rejects.toThrow(/seed is "1" there and "2" here/);
    const { plan } = runWith(true);
    await expect(again({ plan })).rejects.toThrow(/documents steps is "5" there and "2" here/);
    await expect(again({ backend })).rejects.toThrow(ForeignCheckpointError);
    const alone = await again({ compare: false });
    const both = await again({ seeds: [1, 2] });
    expect(both?.bits[0]).toEqual(alone?.bits[0]);
    expect((await again({ seed: 2, seeds: [1, 2] }))?.bits).toEqual(
      (await withCheckpoints("second", { seed: 2, seeds: [2] }))?.bits,
    );
  });

  test("[kosmosDigits.resume] checkpoints are there to continue from until a run begins anew", async () => {
    const one = { ...runWith(true), checkpoints: join(workspace, "anew-"), resume: true };
    expect(canResume(one)).toBe(false);
    await withCheckpoints("anew", { stopAt: "Kosmos 2", seed: 2 });
    expect([canResume(one), canResume({ ...one, resume: false })]).toEqual([true, false]);
    removeCheckpoints({ ...one, seeds: [1] });
    expect(readdirSync(workspace).filter((name) => name.startsWith("anew-"))).toEqual([]);
  });

  test("[kosmosDigits.resume] without resume a run begins at its first step, whatever checkpoints there are", async () => {
    await withCheckpoints("left", { stopAt: "Kosmos 4" });
    expect(await withCheckpoints("left", { stopAt: "vision 1" })).toBeNull(); // it took that step, and stopped
    await withCheckpoints("left", { stopAt: "Kosmos 4" });
    expect(await withCheckpoints("left", { stopAt: "vision 1", resume: false })).toBeNull();
  });

  test("[kosmosDigits.resume] checkpoints are removed from the last seed and phase to the first", () => {
    const one = { ...runWith(true), checkpoints: join(workspace, "ordered-"), resume: true };
    const all = ["1-vision", "1-kosmos", "1-flamingo", "2-vision", "10-flamingo"];
    const path = (name: string) => join(workspace, `ordered-${name}.safetensors`);
    for (const name of all) writeFileSync(path(name), "");
    // A folder in the place of a file cannot be removed: what comes behind it is gone by then, and what comes before it still there.
    unlinkSync(path("1-flamingo"));
    mkdirSync(path("1-flamingo"));
    expect(() => removeCheckpoints(one)).toThrow(/ordered-1-flamingo/);
    expect(all.filter((name) => existsSync(path(name)))).toEqual(["1-vision", "1-kosmos", "1-flamingo"]);
  });
});

describe("the command", () => {
  const train = (...args: string[]) => flamboyance("train", "kosmos-digits", ...args);
  const few = ["--steps", "2", "--vision-steps", "2", "--held-out", "10"];

  test("[kosmosDigits.seeded] [kosmosDigits.report] two runs write the same files, and the report into a document", () => {
    const report = join(workspace, "page.md");
    writeFileSync(report, "before\n<!-- evidence -->\nold\n<!-- end -->\nafter\n");
    const folders = ["one", "two"].map((name) => join(workspace, name));
    const [one, two] = [
      train(...few, "--out", folders[0] ?? "", "--json", "--report", report),
      train(...few, "--out", folders[1] ?? ""),
    ];
    expect([one.status, one.stderr, two.status]).toEqual([0, "", 0]);
    expect(JSON.parse(one.stdout).seeds[0].models).toHaveLength(1);
    expect(two.stdout).toContain("% of captions correct");
    const names = readdirSync(folders[0] ?? "").filter((name) => name !== "pictures" && name !== "report.md");
    expect(names.sort()).toEqual([
      ...["checkpoint-1-kosmos.safetensors", "checkpoint-1-vision.safetensors"],
      ...["kosmos.json", "model.safetensors", "preprocessor_config.json", "reach.svg"],
      ...["tokenizer.json", "tokenizer_config.json"],
    ]);
    for (const name of names)
      expect(
        readFileSync(join(folders[1] ?? "", name)).equals(readFileSync(join(folders[0] ?? "", name))),
        name,
      ).toBe(true);
    const page = readFileSync(report, "utf8");
    expect(page).toMatch(/^before\n<!-- evidence -->\n\nSeed 1, backend (simd|reference)/);
    expect(page).toMatch(/<!-- end -->\nafter\n$/);
    expect(page).not.toContain("old");
  });

  test("[kosmosDigits.resume] a run that was killed goes on with --resume, and another run is refused", async () => {
    const [whole, killed] = ["whole-run", "killed-run"].map((name) => join(workspace, name)) as [
      string,
      string,
    ];
    const long = ["--steps", "12", "--vision-steps", "4", "--held-out", "10", "--compare"];
    const unbroken = train(...long, "--out", whole, "--resume");
    expect([unbroken.status, unbroken.stderr]).toEqual([
      0,
      `flamboyance: there is no checkpoint in ${whole}; training begins at the first step\n`,
    ]);
    const child = spawn(process.execPath, [
      "dist/cli/main.js",
      "train",
      "kosmos-digits",
      ...long,
      "--out",
      killed,
    ]);
    const ended = new Promise((done) => child.once("close", (_, signal) => done(signal)));
    const first = join(killed, "checkpoint-1-kosmos.safetensors");
    const watching = setInterval(() => existsSync(first) && child.kill("SIGKILL"), 2);
    expect(await ended).toBe("SIGKILL"); // after the last step of the Kosmos
    clearInterval(watching);
    expect(existsSync(join(killed, "kosmos.json"))).toBe(false);

    const other = train(...long, "--seed", "2", "--out", killed, "--resume");
    expect(other.status).toBe(2);
    expect(other.stderr.replaceAll(/\s+/g, " ")).toContain(
      'is a checkpoint of another run: seed is "1" there and "2" here; resume with the options of that run, choose another folder with --out, or start anew without --resume',
    );
    const rest = train(...long, "--out", killed, "--resume");
    expect([rest.status, rest.stderr]).toEqual([0, ""]);
    expect(rest.stdout).not.toContain("vision  ");
    const files = filesBelow(whole).filter((name) => name !== "report.md");
    expect(filesBelow(killed).filter((name) => name !== "report.md")).toEqual(files);
    expect(files).toContain("checkpoint-1-flamingo.safetensors");
    for (const name of files)
      expect(readFileSync(join(killed, name)).equals(readFileSync(join(whole, name))), name).toBe(true);

    const anew = train(...few, "--out", killed);
    expect(anew.status).toBe(0);
    expect(existsSync(join(killed, "checkpoint-1-flamingo.safetensors"))).toBe(false);
    expect(existsSync(join(killed, "flamingo", "flamingo-palm.json"))).toBe(false);
  }, 300_000);

  test("options that are none are refused before anything is written", () => {
    const out = join(workspace, "refused");
    const errors = (...args: string[]) => {
      const { status, stderr } = train("--out", out, ...args);
      return [status, stderr.split("\n")[0]];
    };
    expect(errors("digits")).toEqual([
      3,
      'flamboyance: train kosmos-digits takes options only, not "digits"',
    ]);
    expect(errors("--seed", "1", "--seed", "1")).toEqual([
      3,
      "flamboyance: --seed is given at most 10 times, each time with another number",
    ]);
    expect(errors("--steps", "1")[0]).toBe(3);
    expect(errors("--report", "")).toEqual([3, "flamboyance: --report is empty; name a file"]);
    const page = join(workspace, "other.md");
    writeFileSync(page, "a page\n");
    expect(errors("--report", page)[0]).toBe(2);
    expect(readFileSync(page, "utf8")).toBe("a page\n");
    expect(existsSync(join(out, "kosmos.json"))).toBe(false);
    expect(train("--help").stdout).toContain("--compare");
  });
});
