// The executable half of 79-smollm2-digits.md. The full run takes minutes; these tests train a small LLaMA with random weights for a few steps.
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { type Picture, readDigits, SIDE } from "../../../src/demos/digits/data.ts";
import { embeddings, sequencesOf } from "../../../src/demos/digits/embeddings.ts";
import {
  attentionOf,
  type CaptionRow,
  captionRows,
  captionsOf,
  pairsFrom,
  type QuestionRow,
  questionRows,
  textOf,
  writerFor,
} from "../../../src/demos/smollm2-digits/evidence.ts";
import { saveSmolDigits } from "../../../src/demos/smollm2-digits/folder.ts";
import {
  addStates,
  batchOfTexts,
  type SmolDigits,
  smolDigits,
} from "../../../src/demos/smollm2-digits/model.ts";
import { languageDigest, trainSmolDigits } from "../../../src/demos/smollm2-digits/run.ts";
import {
  answerLabels,
  CAPTIONS,
  digitIn,
  type PairText,
  pairTexts,
  promptIds,
} from "../../../src/demos/smollm2-digits/texts.ts";
import {
  batchAt,
  checkpointOf,
  type SmolRun,
  trainedNames,
} from "../../../src/demos/smollm2-digits/training.ts";
import { pictureTensors, sequenceTensors } from "../../../src/demos/smollm2-digits/vision.ts";
import { generate } from "../../../src/generation/generate.ts";
import { batchOf } from "../../../src/generation/prompts.ts";
import { readImage } from "../../../src/io/images/read.ts";
import { reference } from "../../../src/kernels/reference/index.ts";
import { run as replayed } from "../../../src/kernels/replay.ts";
import { conventions } from "../../../src/masks/conventions/conventions.ts";
import { noPadding } from "../../../src/models/language-model.ts";
import { FlamingoLayer } from "../../../src/models/open-flamingo/flamingo-layer.ts";
import { IGNORED } from "../../../src/nn/cross-entropy.ts";
import { parameterNames, stateDict } from "../../../src/nn/state-dict.ts";
import { loadClip } from "../../../src/pretrained/clip/load.ts";
import { loadFlamingo } from "../../../src/pretrained/open-flamingo/folder.ts";
import { RuleError } from "../../../src/tensor/errors.ts";
import { einsum } from "../../../src/tensor/ops/arrange.ts";
import { gather } from "../../../src/tensor/ops/functions.ts";
import { named } from "../../../src/tensor/pattern.ts";
import { flat, type Tensor, tensor, view } from "../../../src/tensor/tensor.ts";
import { ForeignCheckpointError } from "../../../src/training/checkpoint.ts";
import { flamingoLoss } from "../../../src/training/open-flamingo/loss.ts";
import { lossAndGradients } from "../../../src/training/step.ts";
import { flamboyance } from "../../support/fixtures/command.ts";
import { temporary } from "../../support/fixtures/temporary.ts";
import { writeByteLlama } from "./support/byte-llama.ts";

const WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
const digits = readDigits("golden/data/digits.safetensors");
const workspace = temporary();
const backend = reference("float64");

let language = "";
let model: SmolDigits;
beforeAll(async () => {
  language = writeByteLlama(join(workspace, "language"));
  model = await smolDigits(language, 1, 1);
});

/** Opens the gates, so that pictures change what the layers compute. */
function openGates({ flamingo }: SmolDigits): void {
  for (const layer of flamingo.model.lang_encoder.layers) {
    const gated = layer instanceof FlamingoLayer ? layer.gated_cross_attn_layer : null;
    gated?.attn_gate.assign(view(Float64Array.of(2), [1]));
  }
}

const textOfIds = (ids: Iterable<number>): string => model.flamingo.tokenizer.decode(ids);

describe("texts", () => {
  test("[smollm2Digits.texts] texts have two images, end with the end of a chunk, and name their digits", () => {
    const { tokenizer } = model.flamingo;
    const texts = pairTexts(tokenizer, 300, 1);
    expect(pairTexts(tokenizer, 300, 1)).toEqual(texts);
    expect(pairTexts(tokenizer, 300, 2)).not.toEqual(texts);
    const forms = new Set<string>();
    for (const {
      ids,
      digits: [first, second],
    } of texts) {
      const text = textOfIds(ids);
      expect(text.match(/<image>/g)).toHaveLength(2);
      expect(text.endsWith("<|endofchunk|>")).toBe(true);
      const named = text.match(new RegExp(WORDS.join("|"), "g"))?.map((word) => WORDS.indexOf(word));
      const asksSecond = text.startsWith("<image><image>");
      expect(named, text).toEqual(asksSecond ? [second] : [first, second]);
      forms.add(text.replaceAll(new RegExp(WORDS.join("|"), "g"), "#"));
    }
    const parts = [
      ...["This is a handwritten #.", "A handwritten #.", "The digit is #."].map(
        (one) => `<image>Output:${one}`,
      ),
      "<image>Question:Which digit is this? Short answer:#",
    ];
    const pairs = parts.flatMap((a) => parts.map((b) => `${a}<|endofchunk|>\n${b}<|endofchunk|>`));
    const second =
      "<image><image>Question:Which digit does the second picture show? Short answer:#<|endofchunk|>";
    expect([...forms].sort()).toEqual([...pairs, second].sort());
    const lengths = texts.map(({ ids }) => ids.length);
    expect(lengths).toEqual([...lengths].sort((a, b) => a - b));
  });

  test("[smollm2Digits.labels] labels are what follows the last colon of each image's text, the end included", () => {
    const texts = pairTexts(model.flamingo.tokenizer, 40, 3);
    const { ids } = batchOfTexts(model, texts);
    const labels = answerLabels(model.flamingo.tokenizer)(ids);
    const [, l = 0] = ids.shape;
    const all = labels.flat();
    for (const [row, text] of texts.entries()) {
      const labelled = [...all.subarray(row * l, (row + 1) * l)];
      const answers = textOfIds(text.ids)
        .split("<|endofchunk|>")
        .slice(0, -1)
        .map((chunk) => `${chunk.slice(chunk.lastIndexOf(":") + 1)}<|endofchunk|>`);
      expect(textOfIds(labelled.filter((id) => id !== IGNORED))).toBe(answers.join(""));
      for (const [at, id] of labelled.entries()) if (id !== IGNORED) expect(id).toBe(text.ids[at]);
    }
  });

  test("[smollm2Digits.accuracy] a text names a digit if it holds one number, in any case, and no other", () => {
    expect(digitIn("This is a handwritten Seven.")).toBe(7);
    expect(digitIn("zero")).toBe(0);
    expect(digitIn("nine nine")).toBe(9);
    for (const text of ["one or two", "", "ones", "a handwritten 7", "someone"])
      expect(digitIn(text)).toBeNull();
    for (const [digit, word] of WORDS.entries())
      for (const caption of CAPTIONS) expect(digitIn(caption.replace("#", word))).toBe(digit);
  });
});

test("[smollm2Digits.pictures] a PNG file of a picture passes through the folder's processor as in training", async () => {
  const out = join(workspace, "pictures");
  await saveSmolDigits(out, model, language, digits.heldOut);
  const clip = loadClip(join(out, "vision"));
  const files = readdirSync(join(out, "pictures")).sort();
  expect(files).toHaveLength(10);
  for (const [i, file] of files.entries()) {
    const picture = digits.heldOut[i] as Picture;
    expect(file).toBe(`${i}-${WORDS[picture.digit]}.png`);
    const image = await readImage(readFileSync(join(out, "pictures", file)));
    const pixels = [...flat(clip.imageProcessor(image).data)];
    expect(pixels).toEqual([...flat(pictureTensors([picture]).data)]);
    // White is 1, black −1, in steps of a 255th: 1 − 2 · ink, three times.
    for (const [at, x] of pixels.entries())
      expect(Math.abs(x - (1 - 2 * (picture.pixels[at % SIDE ** 2] ?? NaN)))).toBeLessThan(1.01 / 255);
  }
  clip.close();
});

test("[smollm2Digits.states] a step from stored states has the loss and the gradients of one through all layers", async () => {
  const open = await smolDigits(language, 1, 4);
  openGates(open);
  const texts = pairTexts(open.flamingo.tokenizer, 3, 5);
  const states = new Map<PairText, Float32Array>();
  const done: number[] = [];
  for await (const count of addStates(open, texts, states, backend)) done.push(count);
  expect(done).toEqual([3]);
  const shown = texts.map((text) => text.digits.map((digit) => digits.train[digit] as Picture));
  const { ids, mask } = batchOfTexts(open, texts);
  const labels = answerLabels(open.flamingo.tokenizer)(ids);
  const encoder = {
    model: open.classifier.tower,
    encode: (pictures: readonly Picture[]) => open.classifier.tower.forward(pictureTensors(pictures)),
  };
  const features = await embeddings(encoder, shown.flat(), backend);
  const pictures = Array.from({ length: 10 }, (_, digit) => [digits.train[digit] as Picture]);
  const run = runWith(open, "states");
  const batch = batchAt(run, { texts, states, features, pictures }, 0);
  expect(batch.states?.layer).toBe(1);
  expect([...batch.ids.flat()]).toEqual([...ids.flat()]);
  expect([...flat((batch.features as Tensor).data)]).toEqual([...flat(sequencesOf(shown, features).data)]);
  const names = trainedNames(open);
  const measured = (of: typeof batch) =>
    lossAndGradients(() => flamingoLoss(open.flamingo.model, of, labels), {
      model: open.flamingo.model,
      names,
      backend,
    });
  const [fast, whole] = [
    await measured(batch),
    await measured({ ids, mask, images: sequenceTensors(shown) }),
  ];
  expect(Math.abs(fast.loss - whole.loss)).toBeLessThan(1e-6); // states are kept in float32
  expect([...fast.gradients.keys()]).toEqual([...whole.gradients.keys()]);
  for (const [name, g] of whole.gradients) {
    const other = flat(fast.gradients.get(name)?.data ?? g.data);
    const largest = Math.max(...flat(g.data).map(Math.abs));
    for (const [i, x] of flat(g.data).entries())
      expect(Math.abs((other[i] ?? NaN) - x), name).toBeLessThan(1e-5 * largest + 1e-12);
  }
});

/** A run of a few steps in a folder of the workspace. */
const runWith = (of: SmolDigits, name: string, more: Partial<SmolRun> = {}): SmolRun => ({
  model: of,
  digits: { train: digits.train.slice(0, 60), heldOut: digits.heldOut.slice(0, 6) },
  plan: {
    texts: 3,
    vision: { steps: 3, rows: 4, learningRate: 1e-2 },
    flamingo: { steps: 6, rows: 3, learningRate: 1e-2 },
  },
  seed: 1,
  backend,
  language: languageDigest(of),
  checkpoints: join(workspace, `${name}-`),
  resume: false,
  checkpointEvery: 2,
  ...more,
});

/** Runs to the end, or as if the process had been killed after `until` steps of the second phase. */
async function trained(run: SmolRun, until = Number.POSITIVE_INFINITY) {
  const steps = trainSmolDigits(run);
  for (;;) {
    const next = await steps.next();
    if (next.done) return next.value;
    if (next.value.phase === "flamingo" && next.value.step >= until) return null;
  }
}

const bitsOf = ({ flamingo }: SmolDigits): Map<string, string> =>
  new Map([...stateDict(flamingo.model)].map(([name, { data }]) => [name, flat(data).join(" ")]));

describe("training", () => {
  test("[smollm2Digits.frozen] the language model keeps every bit, and resampler and gated layers change", async () => {
    const one = await smolDigits(language, 1, 1);
    const before = bitsOf(one);
    const result = await trained(runWith(one, "frozen"));
    const after = bitsOf(one);
    const changed = [...after].filter(([name, bits]) => before.get(name) !== bits).map(([name]) => name);
    const frozen = [...after.keys()].filter((name) => !changed.includes(name));
    const gated = parameterNames(one.flamingo.model).filter((name) =>
      name.includes("gated_cross_attn_layer"),
    );
    expect(gated.filter((name) => /layers\.0\./.test(name))).toEqual([]); // layer 0 is below the first one
    expect(changed).toEqual(expect.arrayContaining(gated));
    expect(frozen.filter((name) => name.startsWith("perceiver."))).toEqual([]);
    const kept = [...after.keys()].filter((name) => /^lang_encoder\./.test(name) && !gated.includes(name));
    expect(kept.filter((name) => changed.includes(name))).toEqual([]);
    expect(result?.frozen.language.after).toBe(result?.frozen.language.before);
    expect(result?.frozen.tower.after).toBe(result?.frozen.tower.before);
    expect(result?.history).toHaveLength(6);
    expect(result?.history.at(-1)).toHaveLength(2);
    // A digest of other weights differs, so that equal digests say something.
    const digest = languageDigest(one);
    const norm = stateDict(one.flamingo.model).get("lang_encoder.model.norm.weight") as Tensor;
    const values = Float64Array.from(flat(norm.data), (x, at) => (at === 3 ? x + 2 ** -20 : x));
    norm.assign(view(values, norm.shape));
    expect(languageDigest(one)).not.toBe(digest);
  });

  test("[smollm2Digits.seeded] [smollm2Digits.resume] a run that stopped ends with the weights of one that did not", async () => {
    const whole = await smolDigits(language, 1, 1);
    const result = await trained(runWith(whole, "whole"));
    const again = await smolDigits(language, 1, 1);
    await trained(runWith(again, "again"));
    expect(bitsOf(again)).toEqual(bitsOf(whole));

    const stopped = await smolDigits(language, 1, 1);
    expect(await trained(runWith(stopped, "stopped"), 5)).toBeNull();
    const resumed = await smolDigits(language, 1, 1);
    const rest = await trained(runWith(resumed, "stopped", { resume: true }));
    expect(bitsOf(resumed)).toEqual(bitsOf(whole));
    expect(rest?.history).toEqual(result?.history);

    const other = await smolDigits(language, 1, 2);
    await expect(trained(runWith(other, "stopped", { resume: true, seed: 2 }))).rejects.toThrow(
      ForeignCheckpointError,
    );
    const anew = runWith(await smolDigits(language, 1, 1), "stopped");
    const steps = trainSmolDigits(anew);
    await steps.next();
    expect(existsSync(checkpointOf(anew, "flamingo"))).toBe(false);
  });
});

test("[smollm2Digits.first-layer] a first layer that the language model does not have is refused", async () => {
  await expect(smolDigits(language, 3, 1)).rejects.toThrow(
    new RuleError(
      "the language model has 3 layers, so that none of them is layer 3 or above; begin cross-attention at a lower one",
      "smollm2Digits.first-layer",
    ),
  );
});

test("[smollm2Digits.folder] the folder loads as an OpenFlamingo that generates the same ids", async () => {
  const one = await smolDigits(language, 2, 6);
  openGates(one);
  const out = join(workspace, "folder");
  await saveSmolDigits(out, one, language, digits.heldOut);
  const visionEncoder = loadClip(join(out, "vision"));
  const loaded = await loadFlamingo(out, { visionEncoder });
  expect(loaded.settings.lang_encoder_path).toBe(language);
  expect(JSON.parse(readFileSync(join(out, "open-flamingo.json"), "utf8")).cross_attn_first_layer).toBe(2);
  const pair = digits.heldOut.slice(0, 2);
  const prompt = promptIds(one.flamingo.tokenizer, "second");
  const written = (of: typeof loaded.model) =>
    generate(of.withMedia(sequenceTensors([pair])), [prompt], {
      stop: [],
      maxTokens: 6,
      backend: reference(),
    });
  expect(await written(loaded.model)).toEqual(await written(one.flamingo.model));
  loaded.close();
  visionEncoder.close();
});

/** A language model that answers "six" to every prompt, whatever it sees: a chain of bytes, as a table of logits. */
function sayingSix({ flamingo }: SmolDigits): void {
  const { tokenizer, model: one } = flamingo;
  const size = tokenizer.size;
  const answer = [...tokenizer.encode(":six", { special: false }), one.options.eocTokenId];
  const identity = new Float64Array(size * size);
  for (let id = 0; id < size; id++) identity[id * size + id] = 1;
  const logits = new Float64Array(size * size);
  for (const [i, id] of answer.slice(0, -1).entries()) logits[id * size + (answer[i + 1] ?? 0)] = 1;
  const table = (values: Float64Array) => tensor("n d", [size, size], values);
  one.lang_encoder = {
    width: size,
    layers: [],
    embed: (ids) => named("b l d", gather(table(identity), ids)),
    logits: (x) => named("b l n", einsum("b l d, d n -> b l n", x, named("d n", table(logits)))),
  };
}

const share = (pairs: readonly (readonly Picture[])[], place: number): number =>
  pairs.filter((pair) => pair[place]?.digit === 6).length / pairs.length;

describe("evidence", () => {
  test("[smollm2Digits.swapped] [smollm2Digits.blanked] [smollm2Digits.conventions] captions are compared with the right digits", async () => {
    const one = await smolDigits(language, 1, 1);
    sayingSix(one);
    // Of 100 pictures the first place holds two sixes, and the second place three.
    const pairs = pairsFrom(digits.heldOut.slice(0, 100));
    const captions = await captionsOf(one, pairs.slice(0, 2), backend);
    expect(captions.flat().map((ids) => textOf(one, ids))).toEqual(["six", "six", "six", "six"]);
    const rows: CaptionRow[] = [];
    for await (const row of captionRows(one, digits.heldOut.slice(0, 100), backend)) rows.push(row);
    const distinct = pairs.filter(([a, b]) => a?.digit !== b?.digit);
    expect(share(pairs, 0)).not.toBe(share(pairs, 1));
    const all = [share(pairs, 0), share(pairs, 1)];
    const swapped = [share(distinct, 1), share(distinct, 0)];
    const named = rows.map(({ condition, pairs: count, places }) => {
      const what = condition.kind === "convention" ? condition.convention : condition.kind;
      return [what, count, places];
    });
    expect(named).toEqual([
      ["as-trained", 50, all],
      ["swapped", distinct.length, swapped],
      ["blanked", 50, all],
      ...[
        "open-flamingo@2.0.1 all-previous",
        "flamingo-pytorch@0.0.3",
        "paper",
        "paper next",
        "open-flamingo@0.0.2",
        "no pictures",
      ].map((name) => [name, 50, all]),
    ]);
    for (const { all: mean, places } of rows)
      expect(mean).toBeCloseTo(((places[0] ?? 0) + (places[1] ?? 0)) / 2, 12);
  });

  test("[smollm2Digits.conventions] another mask shows a caption other pictures, and without pictures it sees none", async () => {
    const one = await smolDigits(language, 1, 1);
    openGates(one);
    const [a, b, c] = digits.heldOut as readonly [Picture, Picture, Picture];
    const row = [
      ...promptIds(one.flamingo.tokenizer, "caption"),
      ...promptIds(one.flamingo.tokenizer, "caption"),
    ];
    type Under = Parameters<typeof writerFor>[2];
    const logits = (pair: Picture[], convention?: Under) => logitsOf(one, pair, convention);
    const logitsOf = async (of: SmolDigits, pair: Picture[], convention?: Under) => {
      const writer = writerFor(of, [pair], convention);
      const step = () =>
        writer.step(batchOf([row], 0), noPadding(1, row.length), null, writer.context()).logits;
      return [...flat((await replayed(backend, step, { model: of.flamingo.model })).data)];
    };
    const all = conventions["open-flamingo@2.0.1 all-previous"];
    expect(await logits([a, b], all)).not.toEqual(await logits([a, b]));
    expect(await logits([a, b])).not.toEqual(await logits([a, c]));
    expect(await logits([a, b], "no pictures")).toEqual(await logits([c, a], "no pictures"));
    // With closed gates pictures change nothing, so that all of them agree.
    const closed = await smolDigits(language, 1, 1);
    expect(await logits([a, b], "no pictures")).toEqual(await logitsOf(closed, [a, b]));
  });

  test("[smollm2Digits.questions] answers are compared with both pictures of pairs of different digits", async () => {
    const one = await smolDigits(language, 1, 1);
    sayingSix(one);
    const rows: QuestionRow[] = [];
    for await (const row of questionRows(one, digits.heldOut.slice(0, 100), backend)) rows.push(row);
    const distinct = pairsFrom(digits.heldOut.slice(0, 100)).filter(([a, b]) => a?.digit !== b?.digit);
    expect(distinct.length).toBeLessThan(50);
    const of = { pairs: distinct.length, first: share(distinct, 0), second: share(distinct, 1) };
    expect(rows).toEqual(["after-caption", "second", "first"].map((question) => ({ question, ...of })));
    const { tokenizer } = one.flamingo;
    const first = promptIds(tokenizer, "caption");
    const after = promptIds(tokenizer, "question", [
      ...first,
      ...tokenizer.encode("six", { special: false }),
    ]);
    expect(textOfIds(after)).toBe(
      "<image>Output:six<|endofchunk|>\n<image>Question:Which digit is this? Short answer:",
    );
    const { eocTokenId } = one.flamingo.model.options;
    const ended = [...first, ...tokenizer.encode("six", { special: false }), eocTokenId];
    expect(promptIds(tokenizer, "question", ended)).toEqual(after);
    expect(textOfIds(promptIds(tokenizer, "first"))).toBe(
      "<image><image>Question:Which digit does the first picture show? Short answer:",
    );
  });

  test("[smollm2Digits.attention] tokens attend to their own picture, or to both where the mask shows both", async () => {
    const one = await smolDigits(language, 1, 1);
    const pair = digits.heldOut.slice(0, 2);
    const rows = await attentionOf(one, pair, backend);
    const images = rows.flatMap(({ token }, i) => (token === "<image>" ? [i] : []));
    expect(images).toHaveLength(2);
    expect(images[0]).toBe(0);
    for (const [i, { trained: own, allPrevious }] of rows.entries()) {
      const seesSecond = i >= (images[1] ?? 0);
      expect(own.map((x) => Math.round(1e9 * x) / 1e9)).toEqual(seesSecond ? [0, 1] : [1, 0]);
      const [a = NaN, b = NaN] = allPrevious;
      expect(a + b).toBeCloseTo(1, 9);
      if (seesSecond) expect(Math.min(a, b)).toBeGreaterThan(0);
      else expect(b).toBe(0);
    }
  });
});

describe("command", () => {
  const command = (...words: readonly string[]) => flamboyance("train", "smollm2-digits", ...words);

  test("[smollm2Digits.document] [smollm2Digits.report] a short run writes the folder and its document, and resumes", () => {
    const out = join(workspace, "command");
    const document = join(workspace, "page.md");
    writeFileSync(document, "before\n<!-- evidence -->\nold\n<!-- end -->\nafter\n");
    const short = [
      "--first-layer",
      "1",
      "--steps",
      "2",
      "--vision-steps",
      "2",
      "--texts",
      "3",
      "--held-out",
      "6",
    ];
    const words = ["--model", language, "--out", out, ...short];
    const first = command(...words, "--json", "--report", document);
    expect([first.status, first.stderr]).toEqual([0, ""]);
    const result = JSON.parse(first.stdout);
    expect(Object.keys(result)).toEqual([
      ...["seed", "backend", "seconds", "processorSeconds", "classifier", "heldOut", "captions", "questions"],
      ...["frozen", "frozenUnchanged", "firstLayer", "gates", "losses", "attention"],
    ]);
    expect(Object.keys(result.heldOut)).toEqual(["accuracy", "swapped", "blanked"]);
    expect([result.frozenUnchanged, result.firstLayer, result.gates.length]).toEqual([true, 1, 2]);
    expect(readdirSync(out).sort()).toEqual([
      ...["checkpoint-flamingo.safetensors", "checkpoint-vision.safetensors", "checkpoint.safetensors"],
      ...["gates.svg", "open-flamingo.json", "pictures", "report.md", "vision"],
    ]);
    const report = readFileSync(join(out, "report.md"), "utf8");
    expect(report).toContain(`digest ${result.frozen.language.before}`);
    expect(readFileSync(document, "utf8")).toBe(
      `before\n<!-- evidence -->\n\n${report.trimEnd()}\n\n<!-- end -->\nafter\n`,
    );
    expect(readFileSync(join(out, "gates.svg"), "utf8")).toMatch(/>layer 1<.*>layer 2</s);

    const again = command(...words, "--resume");
    expect([again.status, again.stderr]).toEqual([0, ""]);
    expect(again.stdout).not.toContain("flamingo     2/2"); // all steps had been taken
    expect(again.stdout).toContain("captions of held-out pairs");
    expect(command(...words, "--resume", "--seed", "2")).toMatchObject({ status: 2 });
  }, 300_000);

  test("mistakes in the command line and folders without a language model are refused with a remedy", () => {
    const missing = command();
    expect(missing.status).toBe(3);
    expect(missing.stderr).toContain("npm run fetch:smollm2 makes it");
    const nowhere = command("--model", join(workspace, "nowhere"), "--out", join(workspace, "unused"));
    expect(nowhere.status).toBe(2);
    expect(nowhere.stderr).toContain("nowhere");
    expect(existsSync(join(workspace, "unused"))).toBe(false);
    const high = command("--model", language, "--out", join(workspace, "unused"));
    expect([high.status, high.stderr.includes("has 3 layers")]).toEqual([2, true]);
    expect(existsSync(join(workspace, "unused"))).toBe(false);
    expect(command("--model", language, "extra").status).toBe(3);
    expect(command("--model", language, "--steps", "1").status).toBe(3);
    const help = command("--help");
    expect([help.status, help.stdout.split("\n")[0]]).toEqual([
      0,
      "flamboyance train smollm2-digits --model FOLDER: teaches a pretrained language",
    ]);
  }, 300_000);
});
