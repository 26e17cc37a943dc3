// FlamingoPaLM in `flamboyance evaluate`, `caption` and `vqa`: the digits' model, and the folder of train kosmos-digits --compare. Expected answers
// are generated from ids that are written out here, with the pictures of the data set.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { FORMS } from "../../../src/cli/flamingo/forms.ts";
import { ofDigits, ofFlamingoPaLM } from "../../../src/cli/flamingo/palm.ts";
import { VOCABULARY } from "../../../src/demos/digits/captions.ts";
import { asSequences, type Picture, readDigits } from "../../../src/demos/digits/data.ts";
import { wordIds } from "../../../src/demos/digits/evaluation/words.ts";
import { loadDigitsModel } from "../../../src/demos/digits/model.ts";
import { flamingoReader } from "../../../src/demos/kosmos-digits/flamingo.ts";
import { saveFlamingoDigits } from "../../../src/demos/kosmos-digits/folder.ts";
import { IDS } from "../../../src/demos/kosmos-digits/vocabulary.ts";
import { digitClassifier, pictureTensors, savePictures } from "../../../src/demos/smollm2-digits/vision.ts";
import { generate } from "../../../src/generation/generate.ts";
import { initialize } from "../../../src/nn/state-dict.ts";
import { loadFlamingoPaLM } from "../../../src/pretrained/flamingo-palm/folder.ts";
import { rearrange } from "../../../src/tensor/ops/arrange.ts";
import { flamboyance } from "../../support/fixtures/command.ts";
import { writeJsonLines } from "../../support/fixtures/files/json-lines.ts";
import { temporary } from "../../support/fixtures/temporary.ts";

const folder = temporary();
const at = (name: string): string => join(folder, name);
const MODEL = "golden/models/digits.safetensors";
const NAMES = ["five", "one", "seven", "three"];
const pictures: Picture[] = readDigits("golden/data/digits.safetensors").heldOut.slice(0, 4);
const image = (i: number): string => `pictures/${i}-${NAMES[i]}.png`;

const fileOf = (name: string, lines: readonly object[]): string => writeJsonLines(at(name), lines);
const evaluated = (model: string, task: string, data: string, ...more: string[]) => {
  const out = at(`${task}-${more.join("")}.out`);
  const args = ["--model", model, "--task", task, "--data", data, "--backend", "reference", "--out", out];
  const { status, stderr } = flamboyance("evaluate", ...args, ...more);
  const [, ...records] = readFileSync(out, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  return { status, stderr, records: records.slice(0, 4) };
};

beforeAll(async () => {
  await savePictures(at("pictures"), pictures);
});

/** What the digits' model writes behind words, up to the full stop, given pictures of the data set. */
async function written(words: string, shown: readonly Picture[]): Promise<string> {
  const ids = words.split(" ").map((word) => VOCABULARY.indexOf(word));
  const writer = loadDigitsModel(MODEL).flamingo.withMedia({ images: asSequences([shown]) });
  const [row = []] = await generate(writer, [ids], { stop: 1, never: [0, 3], maxTokens: 20 });
  const text = row.slice(ids.length).map((id) => VOCABULARY[id]);
  return text.join(" ").replace(" .", ".");
}

describe("the digits' model", () => {
  const captions = () =>
    fileOf(
      "captions.jsonl",
      pictures.map((_, i) => ({ image: image(i), caption: `A ${NAMES[i]}.` })),
    );

  test("captions are those of its own ids, with and without demonstrations", async () => {
    const zero = evaluated(MODEL, "caption", captions());
    const two = evaluated(MODEL, "caption", captions(), "--shots", "2");
    expect([zero.status, zero.stderr, two.status, two.stderr]).toEqual([0, "", 0, ""]);
    for (const [i, picture] of pictures.entries()) {
      expect(zero.records[i].answer).toBe(await written("<image>", [picture]));
      const shown: number[] = two.records[i].demonstrations.map((line: number) => line - 1);
      const words = shown.map((at) => `<image> a ${NAMES[at]} . `).join("");
      const seen = [...shown.map((at) => pictures[at] as Picture), picture];
      expect(two.records[i].answer).toBe(await written(`${words}<image>`, seen));
    }
  });

  test("[digits.words] a question is the beginning of a caption; one with another word is left out and named", async () => {
    const data = fileOf("questions.jsonl", [
      ...pictures
        .slice(0, 3)
        .map((_, i) => ({ image: image(i), question: "The digit is", answers: [NAMES[i]] })),
      { image: image(3), question: "Which digit is this?", answers: ["three"] },
    ]);
    const { status, stderr, records } = evaluated(MODEL, "vqa", data);
    expect(status).toBe(0);
    expect(stderr).toContain(
      'line 4: the digits\' model has no word "which"; its words are an, this, is, a, here, i, see, it, looks, like',
    );
    for (const [i, picture] of pictures.slice(0, 3).entries())
      expect(records[i].answer).toBe(await written("<image> the digit is", [picture]));
  });

  test("[digits.words] capitals and spaces make no difference", () => {
    const wanted = [VOCABULARY.indexOf("a"), VOCABULARY.indexOf("five"), 1, 3];
    for (const text of ["A five.<image>", "a  five . <image>"]) expect(wordIds(text)).toEqual(wanted);
    for (const text of ["a < five", "a fi5ve"]) expect(() => wordIds(text)).toThrow("has no word");
  });

  test.each(["five", "five.", "five .", "Five. "])("a demonstration %j ends with one full stop", (answer) => {
    const shown = [{ query: { question: "the digit is" }, image: "a.png", answer }];
    const query = { query: { question: "the digit is" }, image: "b.png" };
    const { text } = FORMS.digits.vqa.prompt(shown, query, false);
    const words = ["<image>", "the", "digit", "is", "five", ".", "<image>", "the", "digit", "is"];
    expect(wordIds(text)).toEqual(words.map((word) => VOCABULARY.indexOf(word)));
  });

  test("what is no word of a caption is never written", async () => {
    const { stop, never } = await ofDigits(loadDigitsModel(MODEL));
    const words = (ids: readonly number[]) => ids.map((id) => VOCABULARY[id]);
    expect([words(stop), words(never)]).toEqual([["."], ["<pad>", "<image>"]]);
  });

  test("more pictures than it has positions for are left out", () => {
    const five = fileOf(
      "five.jsonl",
      [0, 1, 2, 3, 3].map((i) => ({ image: image(i), question: "a", answers: ["five"] })),
    );
    const { status, stderr } = evaluated(MODEL, "vqa", five, "--shots", "4");
    expect(status).toBe(2);
    expect(stderr).toContain("line 1: 5 images or videos, but numMediaEmbeds is 4");
    expect(stderr).toContain("no example could be used");
  });

  test("it answers caption and vqa as well, and has no options of an OpenFlamingo", async () => {
    const path = at(image(1));
    const own = flamboyance("caption", path, "--model", MODEL, "--backend", "reference");
    expect(own).toMatchObject({
      status: 0,
      stdout: `${await written("<image>", [pictures[1] as Picture])}\n`,
    });
    const refused = flamboyance("caption", path, "--model", MODEL, "--dtype", "float16");
    expect(refused).toMatchObject({ status: 3, stderr: expect.stringContaining("is a FlamingoPaLM, whose") });
  });
});

test("[digits.files] held-out digits are written as pictures, captions and questions, the same bytes each time", async () => {
  const write = (name: string, ...more: string[]) =>
    flamboyance("digits", "write", "--out", at(name), ...more);
  expect(write("files", "--count", "9")).toMatchObject({ status: 0, stderr: "" });
  write("again", "--count", "9");
  const names = ["captions.jsonl", "questions.jsonl", "words.jsonl", "pictures/0-five.png"];
  for (const name of names)
    expect(readFileSync(at(`again/${name}`)).equals(readFileSync(at(`files/${name}`))), name).toBe(true);
  const lines = (name: string) =>
    readFileSync(at(`files/${name}`), "utf8")
      .trimEnd()
      .split("\n");
  expect(lines("captions.jsonl")).toHaveLength(9 * 8);
  expect(lines("captions.jsonl")[0]).toBe('{"image":"pictures/0-five.png","caption":"a five."}');
  expect(lines("captions.jsonl")[64]).toBe('{"image":"pictures/8-eight.png","caption":"an eight."}');
  expect(lines("words.jsonl")[1]).toBe(
    '{"image":"pictures/1-one.png","question":"the digit is","answers":["one","one","one","one"]}',
  );
  const { readImageFile } = await import("../../../src/io/images/read.ts");
  const { pictureImage } = await import("../../../src/demos/smollm2-digits/vision.ts");
  const { data } = await readImageFile(at("files/pictures/2-seven.png"));
  expect(data).toEqual(pictureImage(pictures[2] as Picture).data);
  expect(flamboyance("digits", "caption", "0", "--count", "2").status).toBe(3);
  expect(write("files", "--count", "1000").status).toBe(3);
});

test("[kosmosDigits.flamingo-folder] a FlamingoPaLM's folder is read with the prompts of KOSMOS-1", async () => {
  const classifier = initialize(digitClassifier(4), 5);
  saveFlamingoDigits(at("palm"), flamingoReader(3).model, classifier);
  const data = fileOf("seen.jsonl", [
    { image: image(0), question: "Which digit is this?", answers: ["five"] },
    { image: image(1), question: "Which digit is this?", answers: ["one"] },
  ]);
  const { status, stderr, records } = evaluated(at("palm"), "vqa", data, "--shots", "1", "--max-tokens", "4");
  expect([status, stderr]).toEqual([0, ""]);
  const loaded = await loadFlamingoPaLM(at("palm"));
  const { model, tokenizer, close } = loaded;
  const reader = ofFlamingoPaLM(loaded);
  expect(reader.stop).toEqual([tokenizer.tokenToId("</s>")]);
  const unwritten = ["<pad>", "<image>", "</image>"].map((token) => tokenizer.tokenToId(token));
  expect(reader.never.toSorted()).toEqual(unwritten.toSorted());
  const encode = (text: string) => tokenizer.encode(text, { special: false });
  const question = "Question: Which digit is this? Answer:";
  for (const [i, record] of records.slice(0, 2).entries()) {
    expect(record.demonstrations).toEqual([2 - i]);
    const ids = [
      ...[IDS.bos, IDS.image, ...encode(`${question} ${NAMES[1 - i]}`)],
      ...[IDS.image, ...encode(question)],
    ];
    // The tower takes the pictures of the files: ink on white, as the classifier is trained on.
    const [other, own] = [pictures[1 - i] as Picture, pictures[i] as Picture];
    const images = rearrange("b c h w -> 1 b c h w", pictureTensors([other, own]));
    const writer = model.withMedia({ images: images as never });
    const [row = []] = await generate(writer, [ids], {
      stop: IDS.eos,
      never: [IDS.pad, IDS.image, IDS.imageEnd],
      maxTokens: 4,
    });
    expect(record.answer).toBe(tokenizer.decode(row.slice(ids.length), { skipSpecial: true }));
  }
  close();
});
