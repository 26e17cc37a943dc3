// `flamboyance caption` and `vqa`, of 68-caption.md. The language model is a Markov chain whose text can be read from its table where the gates
// are shut; where they are open, the expected text is that of the library, given the prompt as a string and the pictures as tensors.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { attentionMaps } from "../../../src/generation/attention-maps.ts";
import { generate } from "../../../src/generation/generate.ts";
import { readImageFile } from "../../../src/io/images/read.ts";
import { type LoadedFlamingo, loadFlamingo } from "../../../src/pretrained/open-flamingo/folder.ts";
import { flat, Tensor, view } from "../../../src/tensor/tensor.ts";
import { widthOf } from "../../../src/terminal/width.ts";
import { flamboyance } from "../../support/fixtures/command.ts";
import { bytesOf, chainOf, idOf } from "../../support/fixtures/folders/chain-folder.ts";
import {
  END_OF_CHUNK,
  IMAGE,
  writeFlamingoFolder,
  writePicture,
} from "../../support/fixtures/folders/flamingo-folder.ts";
import { temporary } from "../../support/fixtures/temporary.ts";

const ends = (text: string): number[] => [...bytesOf(text), END_OF_CHUNK];
const EVIL = "\u001b[31m\r\u009b";
const chain = chainOf(
  [ends(':"a dog'), ends(`e${EVIL}`)],
  [
    [
      idOf("z"),
      [
        [IMAGE, 0.9],
        [idOf("y"), 0.1],
      ],
    ],
  ],
);
const wide = chainOf([], [
  ...Array.from(
    { length: 256 },
    (_, id) => [id, Array.from({ length: 26 }, (_, i) => [97 + i, 1 / 26])] as const,
  ),
] as never);

const workspace = temporary();
const [shut, open] = [join(workspace, "shut"), join(workspace, "open")];
const at = (name: string): string => join(workspace, name);
const [cat, dog, bird] = [at("cat.png"), at("dog.png"), at("bird.png")];
let loaded: LoadedFlamingo;
beforeAll(async () => {
  await writeFlamingoFolder(shut, chain, 0);
  await writeFlamingoFolder(open, wide, 4);
  for (const [i, path] of [cat, dog, bird].entries()) await writePicture(path, i + 1);
  loaded = await loadFlamingo(open);
});

const caption = (...args: string[]) =>
  flamboyance("caption", "--model", open, "--backend", "reference", ...args);
const vqa = (...args: string[]) => flamboyance("vqa", "--model", open, "--backend", "reference", ...args);
const onShut = (command: "caption" | "vqa", ...args: string[]) =>
  flamboyance(command, "--model", shut, "--backend", "reference", ...args);
function answersOf({ status, stdout, stderr }: ReturnType<typeof flamboyance>) {
  expect([status, stderr]).toEqual([0, ""]);
  return JSON.parse(stdout).answers;
}
const promptOf = (result: ReturnType<typeof flamboyance>, i = 0) => answersOf(result)[i].prompt;

async function together(paths: readonly string[]): Promise<Tensor<"b m f c h w">> {
  const values: number[] = [];
  for (const path of paths) values.push(...flat(loaded.imageProcessor(await readImageFile(path)).data));
  const shape = [1, paths.length, 1, 3, 8, 8];
  return new Tensor(shape, view(Float64Array.from(values), shape));
}
/** The ids that the library generates greedily behind a prompt. */
async function expectedIds(prompt: string, paths: readonly string[], maxTokens: number): Promise<number[]> {
  const ids = loaded.tokenizer.encode(prompt);
  const options = { stop: END_OF_CHUNK, never: [IMAGE], maxTokens };
  const [row = []] = await generate(loaded.model.withMedia(await together(paths)), [ids], options);
  return row.slice(ids.length);
}

describe("answers", () => {
  test("a caption is printed without quotation marks; it ends at the end of a chunk", () => {
    expect(onShut("caption", cat)).toEqual({ status: 0, stdout: "a dog\n", stderr: "" });
    const [answer] = answersOf(onShut("caption", cat, "--json"));
    expect(answer).toMatchObject({
      image: cat,
      answer: "a dog",
      text: '"a dog',
      finish: { reason: "end", id: END_OF_CHUNK },
      prompt: { text: "<image>Output:", images: [cat], ids: [IMAGE, ...bytesOf("Output:")] },
    });
    expect(answer.tokens.map(({ id }: { id: number }) => id)).toEqual(ends('"a dog'));
  });

  test("the text is that of the library, and depends on the picture", async () => {
    const texts = new Set<string>();
    for (const path of [cat, dog, bird]) {
      const [answer] = answersOf(caption(path, "--json", "--max-tokens", "6"));
      expect(answer.tokens.map(({ id }: { id: number }) => id)).toEqual(
        await expectedIds("<image>Output:", [path], 6),
      );
      texts.add(answer.text);
    }
    expect(texts.size).toBeGreaterThan(1);
  });

  test("several pictures have an answer each, with headings", () => {
    const { stdout } = onShut("vqa", cat, dog, "--question", "q");
    expect(stdout).toBe(`[1] ${cat}\n"a dog\n[2] ${dog}\n"a dog\n`);
  });

  test("an image token is never generated, and hidden characters are escaped", () => {
    expect(onShut("caption", cat, "--prompt", "<image>z", "--max-tokens", "1").stdout).toBe("y\n");
    expect(onShut("caption", cat, "--prompt", "<image>e").stdout).toBe("\\u{1b}[31m\\u{d}\\u{9b}\n");
  });

  test("beams print the answer at the end, with a score", () => {
    expect(onShut("caption", cat, "--beams", "3").stdout).toBe("a dog\n");
    const [answer] = answersOf(onShut("caption", cat, "--beams", "2", "--length-penalty", "0", "--json"));
    expect(answer.score).toBeCloseTo(0, 6);
  });
});

describe("prompts", () => {
  test("the question of vqa", () => {
    expect(promptOf(vqa(cat, "--question", "What?", "--json", "--max-tokens", "1")).text).toBe(
      "<image>Question:What? Short answer:",
    );
  });

  test("one question for all pictures, or one for each", () => {
    const run = (...questions: string[]) =>
      vqa(cat, dog, ...questions.flatMap((q) => ["--question", q]), "--json", "--max-tokens", "1");
    expect(promptOf(run("A?"), 1).text).toContain("Question:A?");
    expect(promptOf(run("A?", "B?"), 1).text).toContain("Question:B?");
    const { status, stderr } = run("A?", "B?", "C?");
    expect([status, stderr.split("\n")[0]]).toEqual([
      3,
      "flamboyance: there are 3 questions and 2 pictures; give one question for all, or one for each",
    ]);
  });

  test("demonstrations stand before the query in the order that was given", async () => {
    const result = caption(
      bird,
      "--demo",
      `${cat}= a cat `,
      "--demo",
      `${dog}=a=dog`,
      "--json",
      "--max-tokens",
      "4",
    );
    const text = "<image>Output:a cat<|endofchunk|>\n<image>Output:a=dog<|endofchunk|>\n<image>Output:";
    const [answer] = answersOf(result);
    expect(answer.prompt).toMatchObject({ text, images: [cat, dog, bird] });
    expect(answer.tokens.map(({ id }: { id: number }) => id)).toEqual(
      await expectedIds(text, [cat, dog, bird], 4),
    );
  });

  test("--text-only leaves the pictures of demonstrations out", () => {
    const { text, images } = promptOf(
      vqa(bird, "--question", "Q", "--demo", `${cat}=one`, "--text-only", "--json", "--max-tokens", "1"),
    );
    expect(text).toBe("Question:Q Short answer:one<|endofchunk|>\n<image>Question:Q Short answer:");
    expect(images).toEqual([bird]);
  });

  test("--demos is a file, with paths relative to it, or a folder with one; --shots takes the first ones", () => {
    const folder = at("demos");
    mkdirSync(folder);
    const lines = [
      { image: "../cat.png", question: "Which?", answer: "a cat" },
      { image: dog, answer: "a dog" },
    ];
    writeFileSync(
      join(folder, "demonstrations.jsonl"),
      `${lines.map((line) => JSON.stringify(line)).join("\n\n")}\r\n`,
    );
    const run = (...args: string[]) =>
      promptOf(vqa(bird, "--question", "Q", "--demos", folder, "--json", "--max-tokens", "1", ...args));
    const first = "<image>Question:Which? Short answer:a cat<|endofchunk|>\n";
    expect(run().text).toBe(
      `${first}<image>Question:Q Short answer:a dog<|endofchunk|>\n<image>Question:Q Short answer:`,
    );
    expect(run().images).toEqual([`${folder}/../cat.png`, dog, bird]);
    expect(run("--shots", "1").text).toBe(`${first}<image>Question:Q Short answer:`);
  });

  test("--rices takes the most similar demonstrations, the most similar one last", () => {
    const file = at("similar.jsonl");
    const names = [cat, dog, bird];
    writeFileSync(file, names.map((image) => JSON.stringify({ image, caption: "x" })).join("\n"));
    for (const query of names) {
      const { images } = promptOf(
        caption(query, "--demos", file, "--shots", "2", "--rices", "--json", "--max-tokens", "1"),
      );
      expect(images.length).toBe(3);
      expect(images.slice(1)).toEqual([query, query]); // the picture itself is the most similar one
    }
  });

  test("--prompt is the whole text, and its pictures stand where its image tokens are", async () => {
    const text = "<image>one<image>two, which is Short";
    const [answer] = answersOf(vqa(cat, dog, "--prompt", text, "--json", "--max-tokens", "5"));
    expect(answer.prompt).toMatchObject({ text, images: [cat, dog] });
    const ids = await expectedIds(text, [cat, dog], 5);
    expect(answer.tokens.map(({ id }: { id: number }) => id)).toEqual(ids);
    expect(answer.answer).toBe(answer.text);
    const [other] = answersOf(vqa(dog, cat, "--prompt", text, "--json", "--max-tokens", "5"));
    expect(other.text).not.toBe(answer.text);
  });
});

describe("--attend", () => {
  const prompt = "<image>Output:a<|endofchunk|>\n<image>Output:";
  const args = [bird, "--demo", `${cat}=a`, "--attend", "--max-tokens", "3"];
  test("the attention of each token to pictures and latents, and a table that fits 80 columns", async () => {
    const [answer] = answersOf(caption(...args, "--json"));
    const ids = loaded.tokenizer.encode(prompt);
    const all = [...ids, ...answer.tokens.map(({ id }: { id: number }) => id)];
    const weights = loaded.model.crossAttentionWeights;
    const maps = await attentionMaps(loaded.model.withMedia(await together([cat, bird])), all, {
      weights,
      images: 2,
    });
    for (const [i, { attention }] of answer.tokens.entries()) {
      expect(attention.layers).toEqual(maps.map((layer) => layer[ids.length + i - 1]));
      expect(attention.images[0]).toBe(0); // the query's text sees the picture before it alone
      expect(attention.images[1]).toBeCloseTo(1, 12);
      expect(attention.strongest.image).toBe(1);
      expect(attention.strongest.share).toBeGreaterThanOrEqual(1 / 3);
    }
    const { stdout } = caption(...args);
    expect(stdout).toContain("Attention behind each token, per cent, mean of layers and heads");
    expect(stdout).toMatch(/token +image 1 +image 2 +strongest\n/);
    expect(stdout.match(/ · +100 +image 2, latent [123]: \d+\n/g)?.length).toBe(3);
    expect(stdout.split("\n").filter((line) => widthOf(line) > 80)).toEqual([]);
  });
});

const CLI = "flamboyance: ";
describe("mistakes", () => {
  test.each([
    ["vqa takes one picture or several", []],
    ['vqa needs --question "…"', [cat]],
    ['vqa needs --question "…"', [cat, "--question", ""]],
    [
      "--prompt is the whole text; write the question into it",
      [cat, "--question", "q", "--prompt", "<image>"],
    ],
    ["--prompt has 0 image tokens, and there is 1 picture; write <image>", [cat, "--prompt", "no marker"]],
    ["--prompt has 1 image token, and there are 2 pictures", [cat, dog, "--prompt", "<image> a"]],
    ["--prompt is the whole text, and --demo", [cat, "--prompt", "<image>", "--demo", `${cat}=a`]],
    ["--demo is IMAGE=ANSWER", [cat, "--question", "q", "--demo", "cat.png"]],
    ["--demo is IMAGE=ANSWER", [cat, "--question", "q", "--demo", "=a"]],
    [
      "--rices chooses among demonstrations; it needs --demos and --shots K",
      [cat, "--question", "q", "--rices"],
    ],
    ["--shots needs --demo or --demos", [cat, "--question", "q", "--shots", "2"]],
    ["--text-only needs --demo or --demos", [cat, "--question", "q", "--text-only"]],
    [
      "--shots is 2, and there is 1 demonstration;",
      [cat, "--question", "q", "--demo", `${cat}=a`, "--shots", "2"],
    ],
    ["--beams chooses the most probable texts", [cat, "--question", "q", "--beams", "2", "--seed", "1"]],
  ] as const)("%s", (text, args) => {
    const { status, stdout, stderr } = vqa(...args);
    expect(stderr.startsWith(CLI + text)).toBe(true);
    expect([status, stdout]).toEqual([3, ""]);
  });

  test("the folder is required, and the message names the way to get one", () => {
    for (const command of ["caption", "vqa"]) {
      const { status, stderr } = flamboyance(command, cat);
      expect(stderr).toContain(
        `${command} needs --model FOLDER, an OpenFlamingo or a Kosmos; flamboyance train smollm2-digits and train kosmos-digits make one`,
      );
      expect(status).toBe(3);
    }
    const missing = flamboyance("caption", cat, "--model", at("missing"));
    expect(missing.stderr).toContain(
      "it does not exist; name the folder of an OpenFlamingo or a Kosmos (flamboyance train smollm2-digits",
    );
    expect(missing.status).toBe(2);
    expect(flamboyance("caption", cat, "--question", "q", "--model", open).stderr).toContain(
      "an option of vqa",
    );
  });

  test.each([
    ["Is <image> here?", "the query contains <image>, which would count as an image; leave it out"],
    ["Is it?<|endofchunk|>", "the query contains <|endofchunk|>, which would count as the end of an answer"],
  ])("the question %j is refused", (question, text) => {
    const { status, stdout, stderr } = vqa(cat, "--question", question);
    expect(stderr).toContain(text);
    expect([status, stdout]).toEqual([2, ""]);
  });

  test("a file of demonstrations may begin with a byte order mark", () => {
    const file = at("marked.jsonl");
    writeFileSync(file, `\ufeff${JSON.stringify({ image: dog, caption: "a dog" })}\n`);
    expect(promptOf(caption(cat, "--demos", file, "--json")).images).toEqual([dog, cat]);
  });

  test("broken and missing pictures are named, and so are demonstrations", () => {
    const broken = at("broken.png");
    writeFileSync(broken, Buffer.from("89504e470d0a1a0a00", "hex"));
    const file = at("broken.jsonl");
    const withFile = (content: string) => {
      writeFileSync(file, content);
      return caption(cat, "--demos", file);
    };
    const failures = [
      [caption(broken), broken],
      [caption(at("none.png")), at("none.png")],
      [caption(cat, "--demo", `${at("none.png")}=a`), at("none.png")],
      [
        caption(cat, "--demos", at("none.jsonl")),
        'each of its lines is {"image": "cat.png", "caption": "a cat"}',
      ],
      [withFile("{"), `${file}, line 1 is not JSON`],
      [withFile(`{"image": "a.png", "caption": "x"}\n[]`), `${file}, line 2 is not a JSON object`],
      [withFile('{"image": "a.png"}'), `${file}, line 1`],
      [withFile('{"image": "a.png", "caption": "x", "answer": "y"}'), '"answer" is no field of caption'],
      [withFile("\n\r\n \n"), "has no demonstrations"],
      [withFile("\n\r\n{"), `${file}, line 3 is not JSON`],
      [withFile('\n{"image": "a.png", "caption": "a <image>"}'), `${file}, line 2 contains <image>`],
      [withFile('\n{"image": "a.png", "caption": " "}'), `${file}, line 2: "caption" is empty`],
      [withFile('{"image": "", "caption": "a"}'), `${file}, line 1: "image" is empty`],
      [withFile('\n{"image": "none.png", "caption": "a"}'), `${file}, line 2: cannot open ${at("none.png")}`],
      [caption(cat, "--demo", `${cat}=a<image>`), `the demonstration of ${cat} contains <image>`],
      [caption(cat, at("none.png")), at("none.png")], // before the first picture is captioned
    ] as const;
    for (const [{ status, stdout, stderr }, text] of failures) {
      expect(stderr).toContain(text);
      expect([status, stdout]).toEqual([2, ""]);
    }
  });
});
