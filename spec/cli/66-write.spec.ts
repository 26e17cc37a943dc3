// `flamboyance write`, of 66-write.md. The model is a Markov chain whose table is given: expected texts and probabilities are read from the table.
import { spawn, spawnSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { widthOf } from "../../src/terminal/width.ts";
import { flamboyance } from "../support/fixtures/command.ts";
import {
  ANSWER,
  beamsBeatGreedy,
  bytesOf,
  chainOf,
  END,
  idOf,
  path,
  SYSTEM,
  USER,
  writeChainFolder,
} from "../support/fixtures/folders/chain-folder.ts";
import { temporary } from "../support/fixtures/temporary.ts";

const [B, C, D, E] = [idOf("B"), idOf("C"), idOf("D"), idOf("E")];
const [K, L, M] = [idOf("K"), idOf("L"), idOf("M")];
const EVIL = "\u001b[31m\r\u009b";
const chain = chainOf(
  [
    path("abcd."),
    bytesOf("xyx"),
    [ANSWER, ...path("ok!")],
    path(`e${EVIL}`),
    path("wé👋"),
    path("p\u200dq\n"),
  ],
  [
    ...beamsBeatGreedy(),
    [
      K,
      [
        [L, 0.5],
        [M, 0.3],
        [END, 0.2],
      ],
    ],
    [L, [[K, 1]]],
    [M, [[K, 1]]],
  ],
);
const workspace = temporary();
const folder = join(workspace, "chain");
const long = join(workspace, "long");
beforeAll(() => {
  writeChainFolder(folder, { chain });
  writeChainFolder(long, { chain, config: { max_position_embeddings: 100_000 } });
});
const write = (...args: string[]) => flamboyance("write", "--model", folder, ...args);
/** The document of a run, and its only text. */
function json(...args: string[]) {
  const { status, stdout, stderr } = write("--json", ...args);
  expect([status, stderr]).toEqual([0, ""]);
  const document = JSON.parse(stdout);
  return { document, text: document.texts[0] };
}

describe("the text", () => {
  test("stdout has the text alone; stderr the plan before it, and the timings after it", () => {
    const { status, stdout, stderr } = write("a");
    expect([status, stdout]).toEqual([0, "bcd.\n"]);
    const lines = stderr.split("\n");
    expect(lines[0]).toBe(`${folder}: LlamaForCausalLM with 147,576 parameters`);
    expect(stderr).toMatch(
      /\nloading +[\d.]+ s\nprompt +1 token in [\d.]+ s: [\d.]+ a second\ntext +5 tokens, after the first in [\d.]+ s: [\d.]+ a second\nend +the token "<end>"\n$/,
    );
    expect(lines.filter((line) => widthOf(line) > 80 && !line.includes(folder))).toEqual([]);
  });

  test("a text with a line break at its end gets no other one", () => {
    expect(write("q").stdout).toBe("\n");
  });

  test("several prompts are a batch, with headings", () => {
    const { stdout, stderr } = write("xyxy", "a", "--max-tokens", "6");
    expect(stdout).toBe("[1] xyxy\nxyxyxy\n[2] a\nbcd.\n");
    expect(stderr).toMatch(
      /\nprompt +5 tokens in .*\ntext +11 tokens, after.*\nend +the greatest length, the token "<end>"\n$/,
    );
    expect(stderr).toContain("for 10 tokens of each of 2 texts");
  });

  test("--chat uses the chat template, with --system before the prompt", () => {
    const { document, text } = json("--chat", "--system", "S", "hi");
    expect(document.prompts).toEqual([
      { text: "<system>S<user>hi<answer>", ids: [SYSTEM, ...bytesOf("S"), USER, ...bytesOf("hi"), ANSWER] },
    ]);
    expect(text.text).toBe("ok!");
    expect(write("--chat", "hi").stdout).toBe("ok!\n");
  });

  test("the tokens that a tokenizer puts around a text are added to a prompt, and not to a chat", () => {
    const [before, text] = [
      { SpecialToken: { id: "<system>", type_id: 0 } },
      { Sequence: { id: "A", type_id: 0 } },
    ];
    const postProcessor = {
      type: "TemplateProcessing",
      single: [before, text],
      pair: [before, text],
      special_tokens: { "<system>": { id: "<system>", ids: [SYSTEM], tokens: ["<system>"] } },
    };
    const other = join(workspace, "around");
    writeChainFolder(other, { chain, postProcessor });
    const ids = (...args: string[]): number[] =>
      JSON.parse(flamboyance("write", "--model", other, "--json", ...args).stdout).prompts[0].ids;
    expect(ids("a")).toEqual([SYSTEM, ...bytesOf("a")]);
    expect(ids("a", "--chat")).toEqual([USER, ...bytesOf("a"), ANSWER]);
  });

  test("- is stdin, without its last line break", () => {
    const run = (input: string | Uint8Array) =>
      spawnSync(process.execPath, ["dist/cli/main.js", "write", "--model", folder, "--json", "-"], {
        input,
        encoding: "utf8",
      });
    expect(JSON.parse(run("zz\na\n").stdout).prompts[0].text).toBe("zz\na");
    expect(JSON.parse(run("a\r\n").stdout).texts[0].text).toBe("bcd.");
    const broken = run(Uint8Array.of(0x61, 0xff));
    expect(broken.stderr).toBe(
      "flamboyance: stdin is not text in UTF-8, or is longer than 16 MB; give another prompt\n",
    );
    expect(broken.status).toBe(2);
    expect(run(Buffer.alloc(16_000_001, 97)).status).toBe(2);
  });

  test("hidden characters are escaped, but joiners are not; --json has them as they are", () => {
    expect(write("e").stdout).toBe("\\u{1b}[31m\\u{d}\\u{9b}\n");
    expect(json("e").text.text).toBe(EVIL);
    expect(write("w").stdout).toBe("é👋\n");
    expect(write("p").stdout).toBe("\u200dq\n");
  });
});

describe("--json", () => {
  test("has the stable keys, and token ids, texts and reasons", () => {
    const { document, text } = json("w");
    expect(Object.keys(document)).toEqual(["plan", "backend", "prompts", "texts", "timings"]);
    expect(document.backend).toEqual({
      name: "simd",
      mode: expect.any(String),
      threads: expect.any(Number),
      precision: "float32",
    });
    expect(Object.keys(text)).toEqual(["prompt", "text", "ids", "tokens", "finish", "score"]);
    expect(text.ids).toEqual([...bytesOf("é👋"), END]);
    expect(text).toMatchObject({ prompt: 0, text: "é👋", finish: { reason: "end", id: END }, score: null });
    expect(text.tokens[0]).toEqual({
      id: 0xc3,
      token: "Ã",
      text: "\ufffd",
      logProbability: expect.any(Number),
      alternatives: [],
    });
    expect(document.timings).toEqual({
      loading: expect.any(Number),
      prefill: { tokens: 1, seconds: expect.any(Number) },
      decoding: { tokens: 6, seconds: expect.any(Number) },
    });
  });

  test("has log-probabilities and --top alternatives, from the table", () => {
    const [first] = json("K", "--top", "3", "--max-tokens", "1").text.tokens;
    expect(first.id).toBe(L);
    expect(first.logProbability).toBeCloseTo(Math.log(0.5), 6);
    const expected = [
      [L, 0.5],
      [M, 0.3],
      [END, 0.2],
    ] as const;
    expect(first.alternatives.map(({ id }: { id: number }) => id)).toEqual(expected.map(([id]) => id));
    for (const [i, [, p]] of expected.entries())
      expect(first.alternatives[i].logProbability).toBeCloseTo(Math.log(p), 6);
  });

  test("has null for a token that the processors exclude", () => {
    const { alternatives } = json("K", "--top", "264", "--top-k", "2", "--max-tokens", "1").text.tokens[0];
    expect(alternatives).toHaveLength(264);
    expect(alternatives[2].logProbability).toBeNull();
    expect(Math.exp(alternatives[0].logProbability)).toBeCloseTo(0.5 / 0.8, 6);
  });
});

describe("options", () => {
  test("--max-tokens and --min-tokens", () => {
    expect(json("x", "--max-tokens", "3").text).toMatchObject({ text: "yxy", finish: { reason: "length" } });
    expect(json("A", "--min-tokens", "3").text.ids.slice(0, 3)).not.toContain(END);
    expect(json("A").text.ids).toEqual([B, E, END]);
  });

  test("--stop ends the text before the first of the strings", () => {
    expect(json("a", "--stop", "zz", "--stop", "cd").text).toMatchObject({
      text: "b",
      finish: { reason: "stop", string: "cd" },
    });
    expect(write("a", "--stop", "cd").stderr).toMatch(/\nend +the stop string "cd"\n$/);
  });

  test("--beams finds a text that greedy decoding misses, --length-penalty divides its score", () => {
    const { document, text } = json("A", "--beams", "2", "--length-penalty", "2");
    expect(text).toMatchObject({ text: "CD", ids: [C, D, END], finish: { reason: "end", id: END } });
    expect(text.score).toBeCloseTo(Math.log(0.4 * 0.9) / 3 ** 2, 6); // three tokens
    expect(json("A", "--beams", "2").text.score).toBeCloseTo(Math.log(0.4 * 0.9) / 3, 6);
    expect(text.tokens[0].logProbability).toBeNull();
    expect(document.timings.prefill).toBeNull();
    expect(write("A", "--beams", "2").stdout).toBe("CD\n");
  });

  test("--seed, --temperature, --top-k and --top-p draw tokens; a seed draws the same ones again", () => {
    const text = (...args: string[]): string => json("K", "--max-tokens", "24", ...args).text.text;
    const greedy = "LK".repeat(12);
    expect(text()).toBe(greedy);
    expect(text("--seed", "3")).toBe(text("--seed", "3"));
    const drawn = ["1", "2", "3", "4"].map((seed) => text("--seed", seed));
    expect(new Set(drawn).size).toBeGreaterThan(2);
    expect(text("--temperature", "1")).toBe(drawn[0]); // the default seed is 1
    expect(text("--temperature", "0.01")).toBe(greedy);
    expect(text("--top-k", "1")).toBe(greedy);
    expect(text("--top-p", "0.4")).toBe(greedy);
    expect(text("--top-k", "2", "--seed", "4")).toMatch(/^([LM]K){12}$/); // the end token is the third
  });

  test("--repetition-penalty and --no-repeat-ngram", () => {
    // ln 0.5 · 3 < ln 0.3 < ln 0.2: after a first L, M is the most probable; after both, the end token
    expect(json("K", "--repetition-penalty", "3").text.ids.slice(0, 3)).toEqual([
      L,
      expect.any(Number),
      expect.any(Number),
    ]);
    expect(json("KLK", "--repetition-penalty", "3", "--max-tokens", "1").text.ids).toEqual([M]);
    expect(json("KLKMK", "--repetition-penalty", "3", "--max-tokens", "1").text.ids).toEqual([END]);
    expect(json("KLK", "--no-repeat-ngram", "2", "--max-tokens", "1").text.ids).toEqual([M]);
  });

  test.each([
    ["float64", "reference", "float64"],
    ["float32", "simd", "float32"],
    ["bfloat16", "simd", "float32"],
  ])("--dtype %s is computed by %s in %s", (dtype, name, precision) => {
    const { document, text } = json("a", "--dtype", dtype);
    expect(text.text).toBe("bcd.");
    expect(document.backend).toMatchObject({ name, precision });
    expect(document.plan.largestWeight).toBe((dtype === "bfloat16" ? 2 : 4) * 264 ** 2);
  });

  test("--dtype rounds the weights: the probabilities of a coarse table are coarse", () => {
    const error = (...args: string[]): number =>
      Math.abs(json("K", "--max-tokens", "1", ...args).text.tokens[0].logProbability - Math.log(0.5));
    expect(error("--dtype", "bfloat16")).toBeGreaterThan(100 * error());
    expect(error("--backend", "reference")).toBeLessThan(1e-6);
  });

  test("--threads", () => {
    expect(json("a", "--threads", "1").document.backend.threads).toBe(1);
  });

  test("--plan prints the plan alone, on stdout, and reads no weights", () => {
    const { status, stdout, stderr } = write("--plan", "--dtype", "bfloat16");
    expect([status, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/^[^\n]*: LlamaForCausalLM with 147,576 parameters\n {2}on disk /);
    expect(stdout).toContain("for 64 tokens");
    const document = JSON.parse(write("--plan", "--json", "abc", "--max-tokens", "5").stdout);
    expect(Object.keys(document)).toEqual(["plan"]);
    expect(document.plan.cache.context).toBe(8);
    expect(document.plan.intermediates.prompt).toBe(3);
  });
});

describe("signals", () => {
  /** Sends a signal once stdout has text, and gives what the command has written. */
  async function stopped(signal: NodeJS.Signals, when: RegExp, ...args: string[]) {
    const child = spawn(process.execPath, ["dist/cli/main.js", "write", "--model", long, ...args]);
    let [stdout, stderr, sent] = ["", "", false];
    const check = () => {
      if (sent || !when.test(stdout + stderr)) return;
      sent = true;
      setTimeout(() => child.kill(signal), 500);
    };
    child.stdout.on("data", (text) => {
      stdout += text;
      check();
    });
    child.stderr.on("data", (text) => {
      stderr += text;
      check();
    });
    const status = await new Promise((resolve) => child.once("close", (code) => resolve(code)));
    return { status, stdout, stderr };
  }
  const endless = ["x", "--max-tokens", "90000"];

  test.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const)("%s ends the text where it is, with status %i", async (signal, status) => {
    const run = await stopped(signal, /yx/, ...endless);
    expect(run.status).toBe(status);
    expect(run.stdout).toMatch(/^(yx)+y?\n$/);
    expect(run.stderr).toMatch(/\ntext +\d+ tokens.*\nend +stopped\n$/);
  });

  test("under --json the document is printed, with what was written", async () => {
    // Nothing tells that tokens are being chosen, so the signal comes after a time in which any machine has chosen some.
    const child = spawn(process.execPath, [
      "dist/cli/main.js",
      "write",
      "--model",
      long,
      ...endless,
      "--json",
    ]);
    let stdout = "";
    child.stdout.on("data", (text) => {
      stdout += text;
    });
    setTimeout(() => child.kill("SIGINT"), 4000);
    expect(await new Promise((resolve) => child.once("close", (code) => resolve(code)))).toBe(130);
    const [text] = JSON.parse(stdout).texts;
    expect(text).toMatchObject({ text: expect.stringMatching(/^(yx)*y?$/), finish: { reason: "abort" } });
    expect(text.tokens).toHaveLength(text.text.length);
  });

  test("a beam search ends without a text", async () => {
    const run = await stopped("SIGINT", /simd/, ...endless, "--beams", "2");
    expect([run.status, run.stdout]).toEqual([130, ""]);
    expect(run.stderr).toMatch(/flamboyance: stopped\n$/);
  });
});

test("where the reader of stdout closes the pipe, the command ends without a message", async () => {
  const args = ["dist/cli/main.js", "write", "--model", long, "x", "--max-tokens", "90000"];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
  child.stdout.once("data", () => child.stdout.destroy());
  let stderr = "";
  child.stderr.on("data", (text) => {
    stderr += text;
  });
  expect(await new Promise((resolve) => child.once("close", (code) => resolve(code)))).toBe(141);
  expect(stderr).toMatch(/^[^\n]*: LlamaForCausalLM[^\n]*\n( {2}\w[^\n]*\n)+\n$/); // the plan alone
});

describe("mistakes", () => {
  test.each([
    [
      [],
      "write needs --model FOLDER, a model folder of Hugging Face; in a clone of the repository, npm run fetch:smollm2 makes one",
    ],
    [["--model", ""], "write needs --model FOLDER"],
    [["--model", "m"], "write needs a prompt: a text in quotes, or - for stdin"],
    [["--model", "m", "a", "--modle", "b"], 'there is no option "--modle" (did you mean "--model"?)'],
    [
      ["--model", "m", "a", "--max-tokens", "0"],
      '--max-tokens is a whole number from 1 to 16777216, not "0"',
    ],
    [
      ["--model", "m", "a", "--max-tokens", "3", "--min-tokens", "4"],
      "--min-tokens is 4, more than the 3 of --max-tokens",
    ],
    [["--model", "m", "a", "--temperature", "0"], '--temperature is a number above 0, not "0"'],
    [["--model", "m", "a", "--top-k", "0"], '--top-k is a whole number from 1 up, not "0"'],
    [["--model", "m", "a", "--top-p", "1.5"], '--top-p is a number from 0 to 1, not "1.5"'],
    [["--model", "m", "a", "--top-p", ""], '--top-p is a number from 0 to 1, not ""'],
    [["--model", "m", "a", "--repetition-penalty", "-1"], "--repetition-penalty"],
    [["--model", "m", "a", "--no-repeat-ngram", "0"], "--no-repeat-ngram is a whole number from 1 to"],
    [["--model", "m", "a", "--beams", "257"], '--beams is a whole number from 1 to 256, not "257"'],
    [["--model", "m", "a", "--length-penalty", "2"], "--length-penalty needs --beams of at least 2"],
    [
      ["--model", "m", "a", "--beams", "2", "--length-penalty", "long"],
      '--length-penalty is a number, not "long"',
    ],
    [["--model", "m", "a", "--beams", "2", "--seed", "1"], "--beams chooses the most probable texts"],
    [["--model", "m", "a", "--beams", "2", "--json", "--top", "1"], "--top and --beams exclude each other"],
    [["--model", "m", "a", "--top", "3"], "--top needs --json"],
    [["--model", "m", "a", "--stop", ""], "--stop is empty; give a string"],
    [["--model", "m", "a", "--system", "s"], "--system needs --chat"],
    [["--model", "m", "-", "-"], "stdin (-) is one prompt; give it once"],
    [
      ["--model", "m", "a", "--dtype", "int8"],
      '--dtype is one of float64, float32, bfloat16, float16, not "int8"',
    ],
    [
      ["--model", "m", "a", "--dtype", "float64", "--backend", "simd"],
      "--dtype float64 needs --backend reference",
    ],
    [["--model", "m", "a", "--threads", "2", "--backend", "reference"], "--threads is an option of simd"],
    [["--model", "m", "a", "--backend", "gpu"], '--backend is one of auto, simd, reference, not "gpu"'],
    [["--model", "m", ...Array.from({ length: 257 }, () => "a")], "at most 256 prompts, not 257"],
  ])("%j is refused with status 3", (args, words) => {
    const { status, stdout, stderr } = flamboyance("write", ...args);
    expect(stderr).toContain(words);
    expect([status, stdout]).toEqual([3, ""]);
  });

  const changed = (name: string, change: (folder: string) => void): string => {
    const copy = join(workspace, name);
    writeChainFolder(copy, { chain });
    change(copy);
    return copy;
  };
  const without = (file: string) => (copy: string) => rmSync(join(copy, file));
  const with_ = (file: string, content: string) => (copy: string) => writeFileSync(join(copy, file), content);
  const config = (members: object) => (copy: string) => writeChainFolder(copy, { chain, config: members });
  test.each<[string, (copy: string) => void, string[], string]>([
    [
      "missing",
      (copy) => rmSync(copy, { recursive: true }),
      ["a"],
      "it does not exist; name a model folder of Hugging Face (in a clone of the repository, npm run fetch:smollm2 makes one)",
    ],
    ["no-tokenizer", without("tokenizer.json"), ["a"], "no-tokenizer: there is no tokenizer.json"],
    ["no-config", without("config.json"), ["a"], "there is no config.json"],
    ["no-weights", without("model.safetensors"), ["a"], "there is none of model.safetensors"],
    ["short-weights", with_("model.safetensors", "x"), ["a"], "model.safetensors"],
    [
      "falcon",
      config({ model_type: "falcon" }),
      ["a"],
      '"model_type" is "falcon", which is not supported; known are llama',
    ],
    ["quantised", config({ quantization_config: { bits: 4 } }), ["a"], "quantised, which is not supported"],
    [
      "no-template",
      (copy) => writeChainFolder(copy, { chain, template: null }),
      ["a", "--chat"],
      "has no chat template; leave out --chat, and write the prompt as text",
    ],
    [
      "endless-template",
      (copy) =>
        writeChainFolder(copy, {
          chain,
          template: "{% for i in range(1000000) %}{% for j in range(1000000) %}x{% endfor %}{% endfor %}",
        }),
      ["a", "--chat"],
      "the chat template",
    ],
    [
      "raising-template",
      (copy) => writeChainFolder(copy, { chain, template: "{{ raise_exception('\u001b[31mno') }}" }),
      ["a", "--chat"],
      "the chat template refuses the messages",
    ],
    ["tokenizer-of-nothing", with_("tokenizer.json", "{}"), ["a"], "tokenizer.json"],
    ["broken-json", with_("tokenizer.json", "{"), ["a"], "tokenizer.json"],
    [
      "long-prompt",
      () => {},
      ["x".repeat(64)],
      "a prompt has 64 tokens, and a text of this model at most 64, the prompt included; shorten the prompt",
    ],
    ["empty-prompt", () => {}, [""], "the prompt has no tokens, and"],
    [
      "small-vocabulary",
      with_("generation_config.json", '{"eos_token_id": 999}'),
      ["a"],
      "999, which is none of the model's 264 tokens",
    ],
  ])("%s: status 2, and the problem is named", (name, change, args, words) => {
    const copy = changed(name, change);
    const { status, stdout, stderr } = flamboyance("write", "--model", copy, ...args);
    expect(stderr).toContain(words);
    expect(stderr).toContain("flamboyance: ");
    expect(stderr).not.toContain("\u001b");
    expect([status, stdout]).toEqual([2, ""]);
  });

  test("an empty prompt begins with the token that begins a text", () => {
    const copy = join(workspace, "bos");
    writeChainFolder(copy, { chain, files: { "tokenizer_config.json": { bos_token: "<answer>" } } });
    expect(flamboyance("write", "--model", copy, "").stdout).toBe("ok!\n");
  });
});
