// `flamboyance caption` and `vqa` on the folder of a Kosmos, of 68-caption.md: the expected ids are written by hand from the layout of KOSMOS-1, and
// the expected text is what the library generates behind them, with the pictures as tensors.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { readDigits } from "../../../src/demos/digits/data.ts";
import { saveKosmosDigits } from "../../../src/demos/kosmos-digits/folder.ts";
import { digitsKosmos } from "../../../src/demos/kosmos-digits/kosmos.ts";
import { digitClassifier } from "../../../src/demos/smollm2-digits/vision.ts";
import { beamSearch } from "../../../src/generation/beam-search.ts";
import { generate } from "../../../src/generation/generate.ts";
import { readImageFile } from "../../../src/io/images/read.ts";
import { initialize } from "../../../src/nn/state-dict.ts";
import { type LoadedKosmos, loadKosmos } from "../../../src/pretrained/kosmos/folder.ts";
import { flat, Tensor, view } from "../../../src/tensor/tensor.ts";
import { flamboyance } from "../../support/fixtures/command.ts";
import { temporary } from "../../support/fixtures/temporary.ts";

const workspace = temporary();
const folder = join(workspace, "kosmos");
const [five, one, seven] = ["0-five", "1-one", "2-seven"].map((name) =>
  join(folder, "pictures", `${name}.png`),
) as [string, string, string];
/** The id of the image token, which slots have too, of the token behind an image, and the ids that end a text or pad it. */
let [IMAGE, IMAGE_END, EOS, PAD] = [0, 0, 0, 0];
let loaded: LoadedKosmos;
beforeAll(async () => {
  const model = digitsKosmos(digitClassifier(3).tower);
  initialize(model, 3);
  // Pictures decide what is written: the resampler's latents are small beside what they read, and its results are large beside the text.
  for (const [parameter, factor] of [
    [model.perceive.latents, 0.01],
    [model.image_proj.weight, 50],
  ] as const)
    parameter.assign(
      view(
        Float64Array.from(flat(parameter.data), (x) => factor * x),
        parameter.shape,
      ),
    );
  await saveKosmosDigits(folder, model, readDigits("golden/data/digits.safetensors").heldOut);
  loaded = await loadKosmos(folder);
  const idOf = (token: string): number => loaded.tokenizer.tokenToId(token) ?? -1;
  [IMAGE, IMAGE_END, EOS, PAD] = [idOf("<image>"), idOf("</image>"), idOf("</s>"), idOf("<pad>")];
});

type Command = "caption" | "vqa";
const run = (command: Command, ...args: string[]) =>
  flamboyance(command, "--model", folder, "--backend", "reference", ...args);
function answersOf({ status, stdout, stderr }: ReturnType<typeof flamboyance>) {
  expect([status, stderr]).toEqual([0, ""]);
  return JSON.parse(stdout).answers;
}
const errorOf = (command: Command, ...args: string[]) => {
  const { status, stderr } = run(command, ...args);
  return [status, stderr.split("\n")[0]];
};

/** Ids of texts, and of pictures between them: `<image>`, four slots, `</image>`. */
const idsOf = (...parts: (string | null)[]): number[] => [
  loaded.tokenizer.tokenToId("<s>") ?? -1,
  ...parts.flatMap((text) =>
    text === null
      ? [IMAGE, IMAGE, IMAGE, IMAGE, IMAGE, IMAGE_END]
      : loaded.tokenizer.encode(text, { special: false }),
  ),
];

/** The model with pictures. */
async function writerOf(paths: readonly string[]) {
  const values: number[] = [];
  for (const path of paths) values.push(...flat(loaded.imageProcessor(await readImageFile(path)).data));
  const shape = [1, paths.length, 3, 8, 8];
  return loaded.model.withMedia({ images: new Tensor(shape, view(Float64Array.from(values), shape)) });
}
const options = () => ({ stop: EOS, never: [PAD, IMAGE, IMAGE_END] });

/** The ids that the library generates behind a prompt. */
async function expectedIds(ids: number[], paths: readonly string[], maxTokens: number): Promise<number[]> {
  const [row = []] = await generate(await writerOf(paths), [ids], { ...options(), maxTokens });
  return row.slice(ids.length);
}
/** The score of the library's best beam of three. */
async function expectedBeam(ids: number[], paths: readonly string[], maxTokens: number) {
  const [[best] = []] = await beamSearch(await writerOf(paths), [ids], { ...options(), maxTokens, beams: 3 });
  return { tokens: [...(best?.tokens ?? [])], score: best?.score ?? Number.NaN };
}
const tokensOf = (answer: { tokens: { id: number }[] }): number[] => answer.tokens.map(({ id }) => id);

describe("a Kosmos", () => {
  test("a caption stands behind the picture and the prompt of KOSMOS-1, and depends on the picture", async () => {
    const texts = new Set<string>();
    const answers = answersOf(run("caption", five, one, seven, "--json", "--max-tokens", "6"));
    for (const [i, path] of [five, one, seven].entries()) {
      const { prompt, image, text, answer } = answers[i];
      const ids = idsOf(null, "An image of");
      expect({ prompt, image, answer }).toEqual({
        prompt: { text: "<image>An image of", images: [path], ids },
        image: path,
        answer: text,
      });
      const expected = await expectedIds(ids, [path], 6);
      expect(tokensOf(answers[i])).toEqual(expected);
      expect(text).toBe(loaded.tokenizer.decode(expected, { skipSpecial: true }));
      texts.add(text);
    }
    expect(texts.size).toBeGreaterThan(1);
  });

  test("the document has the keys of an OpenFlamingo's, and the answer is printed without it", () => {
    const printed = run("vqa", five, "--question", "Which digit is this?", "--max-tokens", "4");
    const { status, stdout } = run(
      "vqa",
      five,
      "--question",
      "Which digit is this?",
      "--max-tokens",
      "4",
      "--json",
    );
    expect([printed.status, status]).toEqual([0, 0]);
    const document = JSON.parse(stdout);
    expect(Object.keys(document)).toEqual(["task", "model", "backend", "answers", "timings"]);
    expect(Object.keys(document.answers[0])).toEqual([
      "image",
      "answer",
      "text",
      "prompt",
      "tokens",
      "finish",
      "score",
    ]);
    expect(printed.stdout).toBe(`${document.answers[0].answer}\n`);
  });

  test("a question with demonstrations: every picture is in the sequence, in order", async () => {
    const [answer] = answersOf(
      run(
        "vqa",
        five,
        "--question",
        "Which digit is this?",
        "--demo",
        `${one}=one.`,
        "--max-tokens",
        "4",
        "--json",
      ),
    );
    const question = "Question: Which digit is this? Answer:";
    expect(answer.prompt.text).toBe(`<image>${question} one.<image>${question}`);
    const ids = idsOf(null, `${question} one.`, null, question);
    expect(answer.prompt.ids).toEqual(ids);
    expect(tokensOf(answer)).toEqual(await expectedIds(ids, [one, five], 4));
  });

  test("a text of the user's, with pictures anywhere, and beams", async () => {
    const text = "Here is<image><image> a picture <image>";
    const ids = idsOf("Here is", null, null, " a picture ", null);
    const pictures = [five, one, seven];
    const [greedy] = answersOf(run("caption", ...pictures, "--prompt", text, "--max-tokens", "4", "--json"));
    expect(greedy.prompt).toEqual({ text, images: pictures, ids });
    expect(tokensOf(greedy)).toEqual(await expectedIds(ids, pictures, 4));
    const beams = ["--beams", "3", "--max-tokens", "4", "--json"];
    const [best] = answersOf(run("caption", ...pictures, "--prompt", text, ...beams));
    expect(best.prompt.ids).toEqual(ids);
    const expected = await expectedBeam(ids, pictures, 4);
    expect(tokensOf(best)).toEqual(expected.tokens);
    expect(best.score).toBeCloseTo(expected.score, 5);
    const otherOrder = await expectedBeam(ids, [one, five, seven], 4);
    expect(Math.abs(best.score - otherOrder.score)).toBeGreaterThan(1e-4);
  });

  test("a greedy answer ends at the end of the text, and no answer has tokens of images or padding", () => {
    const { never, stop } = { never: [PAD, IMAGE, IMAGE_END], stop: EOS };
    const [answer] = answersOf(
      run("caption", five, "--json", "--max-tokens", "60", "--seed", "1", "--temperature", "3"),
    );
    const ids = tokensOf(answer);
    for (const id of ids) expect(never).not.toContain(id);
    expect(ids.indexOf(stop)).toBe(answer.finish.reason === "end" ? ids.length - 1 : -1);
    expect(answer.finish).toEqual({ reason: "end", id: EOS });
  });

  test("similar demonstrations are found by the features of its tower", () => {
    const lines = [five, one, seven].map((image) => JSON.stringify({ image, caption: "a digit." }));
    const demos = join(workspace, "demos.jsonl");
    writeFileSync(demos, `${lines.join("\n")}\n`);
    const rices = ["--demos", demos, "--rices", "--shots", "1", "--max-tokens", "1", "--json"];
    for (const path of [five, seven]) {
      const [answer] = answersOf(run("caption", path, ...rices));
      expect(answer.prompt.images).toEqual([path, path]); // the most similar picture is the picture itself
    }
  });

  test("options that a Kosmos does not have, and texts with its tokens, are refused", () => {
    expect(errorOf("caption", five, "--attend")).toEqual([
      3,
      `flamboyance: ${folder} is a Kosmos, which has no cross-attention: pictures are positions of its text; leave out --attend`,
    ]);
    expect(errorOf("caption", five, "--demo", `${one}=one`, "--text-only")[1]).toContain(
      "leave out --text-only",
    );
    expect(errorOf("caption", five, "--dtype", "bfloat16")[1]).toContain("leave out --dtype");
    expect(errorOf("caption", five, "--language-model", folder)[1]).toContain("leave out --language-model");
    expect(errorOf("caption", five, "--prompt", "<image></image>a")).toEqual([
      3,
      "flamboyance: the prompt contains </image>, which follows each picture by itself; leave it out: <image> alone stands for a picture",
    ]);
    expect(errorOf("vqa", five, "--question", "a </image>?")[1]).toContain(
      "the prompt contains </image>, which follows each picture by itself",
    );
    expect(errorOf("caption", five, "--prompt", `<image>${"a".repeat(400)}`)[1]).toMatch(
      /positions are more than the 128/,
    );
    expect(errorOf("caption", five, "--prompt", "<image>a<pad>b")[1]).toContain("padding");
  });
});
