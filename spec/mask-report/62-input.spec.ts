// The arguments of `flamboyance mask`: prompts, options and paths, and the tokens that stand for an image. Right values by hand, or from
// the public reports that the titles name.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { mask } from "../../src/cli/commands/mask.ts";
import { temporary } from "../support/fixtures/temporary.ts";
import { runMask } from "../support/measure/run-mask.ts";

const folder = temporary();
const ids = (name: string, list: unknown): string => {
  const path = join(folder, name);
  writeFileSync(path, JSON.stringify(list));
  return path;
};
interface Row {
  readonly class: string;
  readonly images: readonly number[];
}
/** The document of the command, which runs in this process. */
async function document(...args: string[]) {
  const written: string[] = [];
  const spy = vi.spyOn(process.stdout, "write").mockImplementation((text) => written.push(String(text)) > 0);
  try {
    expect(await mask(["--json", ...args])).toBe(0);
  } finally {
    spy.mockRestore();
  }
  return JSON.parse(written.join(""));
}

/** The images that each row sees: "- 1 12", prompt by prompt. */
async function sees(...args: string[]): Promise<string[]> {
  const first = await document(...args);
  return (first.prompts ?? [first]).map(({ rows }: { rows: Row[] }) =>
    rows.map(({ images }) => images.join("") || "-").join(" "),
  );
}

test("ids of images can be negative, as in LLaVA and mPLUG-Owl (Deco issue 3, LLaVA issue 1854)", async () => {
  const file = ids("negative", [[1, -200, 5, 6, -200, 7]]);
  expect(await sees("--ids", file, "--image-token=-200")).toEqual(["- 1 1 1 2 2"]);
  expect(await sees("--ids", file, "--image-token", "-200")).toEqual(["- 1 1 1 2 2"]);
  expect(await sees("--ids", file, "--image-token", "6", "--pad-token", "-200")).toEqual(["- - - 1 1 1"]);
});

test("a run of placeholders is one image (imp pull request 1177, NeMo-Automodel pull request 2059)", async () => {
  const file = ids("runs", [[1, 40, 40, 40, 7, 40, 40, 40, 8]]);
  for (const length of ["3", "run"]) {
    const args = ["--ids", file, "--image-token", "40", "--image-length", length, "--images", "2"];
    expect(await sees(...args)).toEqual(["- 1 1 1 1 2 2 2 2"]);
    expect((await document(...args)).warnings).toEqual([]);
  }
  const cut = await document("--ids", file, "--image-token", "40", "--image-length", "2");
  expect(cut.notes).toEqual([
    "Prompt 0: the image at position 3 has 1 of 2 tokens; the prompt is cut there, or --image-length is another.",
    "Prompt 0: the image at position 7 has 1 of 2 tokens; the prompt is cut there, or --image-length is another.",
  ]);
  expect(cut.imageToken).toBe("2 times 40");
});

test("several tokens together stand for one image", async () => {
  const file = ids("sequence", [[5, 6, 7, 1, 5, 6, 1, 5, 6, 7]]);
  expect(await sees("--ids", file, "--image-token", "5,6,7")).toEqual(["1 1 1 1 1 1 1 2 2 2"]);
  expect(await sees("a [IMG] b [IMG] c", "--image-token", "[IMG]")).toEqual(["- 1 1 1 1 2 2 2 2"]);
});

test("a prompt that begins with a slash or a dash is a prompt", async () => {
  expect(await sees("/describe <image> what")).toEqual(["- - 1 1"]);
  expect(await sees("- a <image>")).toEqual(["- - 1"]);
  expect(await sees("-5 degrees <image>", "--pad", "left")).toEqual(["- - - 1"]);
  expect(await sees("--- <image>")).toEqual(["- - - 1"]);
  expect(await sees("<image> a", "-- b")).toEqual(["1 1 1", "- - -"]);
  expect(await sees("--convention", "all-previous", "--", "--cached <image>")).toEqual(["- - - 1"]);
  expect(await sees("--", "golden")).toEqual(["-"]);
  const { notes } = await document("/imagine");
  expect(notes).toEqual(["/imagine is read as a prompt, since there is no file or folder of this name."]);
});

test("options that do not exist, and options without a value, are refused with status 3", async () => {
  for (const args of [
    ["-h"],
    ["<image>", "-cached"],
    ["<image>", "--no-such"],
    ["<image>", "--convention"],
  ]) {
    const { status, stdout } = await runMask(...args);
    expect([status, stdout], args.join(" ")).toEqual([3, ""]);
  }
});

test("what exists is read as a file, what has the form of a path too, and a batch says what it did not read", async () => {
  mkdirSync(join(folder, "empty"));
  const refused = async (path: string, named: string) => {
    const { status, stderr } = await runMask(path);
    expect(status).toBe(2);
    expect(stderr).toContain(named);
    expect(stderr).toContain("write -- before it if it is a prompt");
  };
  await refused(join(folder, "empty"), "there is no case.json in it");
  await refused(ids("list", [1]), "read ids with --ids");
  await refused("golden/cases/no-such-case", "no such file or folder");
  await refused("./nowhere", "no such file or folder");
  const { notes, prompts } = await document("golden/cases", "<image> a");
  expect(prompts).toHaveLength(2);
  expect(notes).toEqual([
    expect.stringContaining("golden/cases is read as a prompt, although there is a file or folder"),
  ]);
});

test("one argument is one prompt, line breaks included, as chats of Llama 3.2 and prompts of IDEFICS are pasted", async () => {
  const chat =
    "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\n<|image|>What is it?<|eot_id|>" +
    "<|start_header_id|>assistant<|end_header_id|>\n\nA cat.";
  const mllama = await document(chat, "--convention", "mllama reference");
  expect(mllama).not.toHaveProperty("prompts");
  expect(mllama).toMatchObject({ warnings: [], imageToken: "<|image|>", images: 1, length: 16 });
  const prompt =
    "User: <fake_token_around_image><image><fake_token_around_image>Describe.<end_of_utterance>\nAssistant:";
  const idefics = await document(prompt, "--convention", "idefics");
  expect(idefics).toMatchObject({ warnings: [], imageToken: "<image>", images: 1, length: 10 });
  const both = await document("<image> or <|image|>", "--convention", "mllama reference");
  expect(both).toMatchObject({
    imageToken: "<|image|>",
    notes: ["<image> counts as text here, because <|image|> is the image token; choose with --image-token."],
  });
  expect((await runMask("a <image>")).stdout).toContain("image token: <image>");
});

test("[prompt.lookalikes] tokens that look like an image's are named in a note where no image token occurs", async () => {
  const notes = async (...args: string[]) => (await document(...args)).notes;
  for (const token of [
    "<|image_pad|>",
    "<|vision_start|>",
    "<IMAGE>",
    "<img>",
    "<image_1>",
    "[IMG]",
    "{image}",
    "<im_patch>",
  ])
    expect(await notes(`Describe ${token} briefly.`), token).toEqual([
      `No image token occurs in the prompts, and ${token} counts as text; name the image token with --image-token.`,
    ]);
  const qwen = "<|im_start|>user <|vision_start|><|image_pad|><|vision_end|> What is it?<|im_end|>";
  expect(await notes(qwen, "<img> and <img>")).toEqual([
    "No image token occurs in the prompts, and <|vision_start|>, <|image_pad|>, <|vision_end|> and others count as text; name the image token with --image-token.",
  ]);
  for (const args of [
    ["An image of a vision."],
    ["<|im_start|>user [1]"],
    ["<image> [IMG]"],
    ["a [IMG]", "--image-token", "[IMG]"],
    [qwen, "--image-token", "<|image_pad|>"],
  ])
    expect(await notes(...args), args.join(" ")).toBeUndefined();
  expect(await sees("a [IMG] b", "--image-token", "[IMG]")).toEqual(["- 1 1 1 1"]);
  const { stdout } = await runMask("What is in [IMG]?");
  expect(stdout.replace(/\s+/g, " ")).toContain(
    "No image token occurs in the prompts, and [IMG] counts as text; name the image token with --image-token.",
  );
});

test("a second image that is sent in a later turn is not seen (vLLM issue 10983, open-webui issue 6818)", async () => {
  const turns =
    "<|begin_of_text|> user <|image|> what? <|eot_id|> assistant A cat <|eot_id|> user <|image|> and this? <|eot_id|>";
  const { cached, warnings } = await document(
    turns,
    "--convention",
    "mllama transformers",
    "--cached",
    "--known",
    "10",
  );
  expect(cached.runs).toMatchObject([
    { from: 10, to: 10, differs: false },
    { from: 11, to: 15, cached: { ranges: [[1, 1]] }, full: { ranges: [[2, 2]] }, differs: true },
  ]);
  expect(warnings).toContainEqual(
    expect.stringMatching(/^5 cached steps differ .* position 11 uses the row of the prompt's position 9/),
  );
});

test("a placeholder that the user's text quotes takes an image away (vLLM issue 57740, sglang issue 39274)", async () => {
  const { warnings } = await document(
    "Echo this back : <image> . Now look <image> what is it",
    "--images",
    "1",
  );
  expect(warnings).toEqual([
    "Prompt 0: the image token at position 8 refers to image 2, but only 1 image is given.",
  ]);
});

test("where truncation took the first image token, the other one means the first image (lmms-finetune issue 44)", async () => {
  const { rows, warnings } = await document("and this <image> what differs", "--images", "2");
  expect(rows.map(({ images }: Row) => images)).toEqual([[], [], [1], [1], [1]]);
  expect(warnings).toEqual(["Prompt 0: image 2 has no image token."]);
});

test("padding on the left moves the mask, too (torchtune pull request 1601, LLaVA-NeXT issue 365)", async () => {
  expect(await sees("<image> a", "b c <image> d <image>", "--pad", "left")).toEqual([
    "- - - 1 1",
    "- - 1 1 2",
  ]);
});

test("samples of a packed row, in lengths or by end tokens", async () => {
  const packed = ["<image> a </s> b <image> c", "--convention", "immediate"];
  const warning = "Prompt 0, position 3 of sample 1 sees {1} of another sample under immediate";
  for (const segments of ["end", "3,3"]) {
    const { warnings } = await document(...packed, "--segments", segments);
    expect(warnings).toEqual([expect.stringContaining(warning)]);
  }
  expect((await document(...packed)).warnings).toEqual([]);
  expect((await document(packed[0] ?? "", "--convention", "idefics", "--segments", "end")).warnings).toEqual(
    [],
  );
  const wrong = await runMask(packed[0] ?? "", "--segments", "3,2");
  expect(wrong.status).toBe(2);
  expect(wrong.stderr).toContain("samples of 3, 2 tokens are 5 tokens, but the prompt has 6");
  const each = await document("a b", "<image> a b", "--segments", "1,1;1,2");
  expect(each.warnings).toHaveLength(2);
});

test("tiles have a number for each image, no larger than those that are stored", async () => {
  const refused = async (args: string[], named: string) => {
    const { status, stderr } = await runMask("<image> <image>", ...args);
    expect(status).toBe(3);
    expect(stderr).toContain(named);
  };
  await refused(["--num-tiles", "1"], "has 1 numbers for prompt 0, which has 2 images");
  await refused(["--num-tiles", "1,5"], "--num-tiles is a whole number from 1 to 4");
  await refused(["--max-num-tiles", "6"], "--max-num-tiles needs --num-tiles");
  await refused(["--num-tiles", "1,3", "--latents", "6"], "--latents is a multiple of the 4 tiles");
  const { tiles } = await document(
    "<image> <image>",
    "<image>",
    "--num-tiles",
    "1,3;2",
    "--max-num-tiles",
    "5",
  );
  expect(tiles).toEqual({ most: 5, counts: [[1, 3], [2]] });
});

test("prompts show control characters and bidirectional controls as escapes, in the terminal and in the document", async () => {
  const { stdout } = await runMask("a\u001b[31m \u202e <image> \u0007", "--convention", "immediate");
  expect(stdout).toContain("\\u{1b}");
  expect(stdout).toContain("\\u{202e}");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it is what is looked for
  expect(stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f\u202a-\u202e]/);
  const json = (await runMask("a\u001b[31m \u202e <image> \u0007", "--json")).stdout;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it is what is looked for
  expect(json).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f\u202a-\u202e]/);
  const named = await runMask("x", "--image-token", "\u001b[31m<y>");
  expect(named.stderr).not.toContain("\u001b");
  expect(named.status).toBe(3);
});

test("help fits 80 columns and names every option", async () => {
  const { stdout } = await runMask("--help");
  for (const line of stdout.split("\n")) expect([...line].length).toBeLessThanOrEqual(80);
  for (const option of [
    "--image-token",
    "--image-length",
    "--num-tiles",
    "--max-num-tiles",
    "--segments",
    "--trace",
  ])
    expect(stdout).toMatch(new RegExp(`^ {2}${option} `, "m"));
});
