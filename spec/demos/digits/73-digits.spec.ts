// The executable half of 73-digits.md. A full training run takes a minute; these tests run a few steps of each phase.
import { spawn, spawnSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { captionsOf } from "../../../src/demos/digits/captioning.ts";
import {
  caption,
  decode,
  digitNamed,
  encode,
  IMAGE,
  interleaved,
  NUMBERS,
  STOP,
  VOCABULARY,
} from "../../../src/demos/digits/captions.ts";
import { BLANK, type Picture, readDigits } from "../../../src/demos/digits/data.ts";
import { drawPictures } from "../../../src/demos/digits/draw.ts";
import {
  evidence,
  otherConventions,
  sequencesFrom,
  underConventions,
} from "../../../src/demos/digits/evidence.ts";
import { digitsModel, loadDigitsModel, saveDigitsModel } from "../../../src/demos/digits/model.ts";
import { PHASES, plans, snapshot } from "../../../src/demos/digits/phases.ts";
import {
  type DigitsReport,
  digitsDocument,
  digitsMarkdown,
  digitsText,
  replaceBetween,
} from "../../../src/demos/digits/report.ts";
import { trainDigits } from "../../../src/demos/digits/run.ts";
import { scan } from "../../../src/demos/digits/scan.ts";
import { gatesPicture } from "../../../src/demos/gates.ts";
import { loadSafetensors } from "../../../src/io/safetensors/read.ts";
import { reference } from "../../../src/kernels/reference/index.ts";
import { conventions } from "../../../src/masks/conventions/conventions.ts";
import { LoadError } from "../../../src/tensor/errors.ts";
import { generator } from "../../../src/tensor/random.ts";
import { flat } from "../../../src/tensor/tensor.ts";
import { painter } from "../../../src/terminal/colour.ts";
import { flamboyance } from "../../support/fixtures/command.ts";
import { temporary } from "../../support/fixtures/temporary.ts";
import { changedNames } from "../../support/fixtures/training/tiny.ts";

const digits = readDigits("golden/data/digits.safetensors");
const SHIPPED = "golden/models/digits.safetensors";
const workspace = temporary();

test("[digits.held-out] 299 of 1797 digits are held out; both parts have all ten classes and share no picture", () => {
  expect([digits.train.length, digits.heldOut.length]).toEqual([1498, 299]);
  const key = ({ pixels, digit }: Picture) => `${digit} ${[...pixels].join(" ")}`;
  const seen = new Set(digits.train.map(key));
  expect(digits.heldOut.filter((picture) => seen.has(key(picture)))).toEqual([]);
  for (const part of [digits.train, digits.heldOut]) {
    expect(new Set(part.map(({ digit }) => digit)).size).toBe(10);
    expect(part.every(({ pixels }) => pixels.length === 64 && pixels.every((x) => x >= 0 && x <= 1))).toBe(
      true,
    );
  }
});

test("[digits.captions] every caption has its number, uses only words of the vocabulary, and ends with a stop", () => {
  const seen = new Set<string>();
  for (let digit = 0; digit < 10; digit++) {
    for (let i = 0; i < 40; i++) {
      const tokens = caption(digit, generator(i, `${digit}`));
      const text = decode(tokens);
      seen.add(text);
      expect(tokens.at(-1)).toBe(STOP);
      expect(digitNamed(tokens)).toBe(digit);
      expect(tokens).toEqual(encode(text));
      if (/\ban?\b/.test(text)) expect(/\ban\b/.test(text)).toBe(digit === 8);
    }
  }
  expect(seen.size).toBe(60);
  for (const text of ["this is a nine .", "this is an eight .", "the digit is nine .", "an eight ."])
    expect(seen).toContain(text);
  expect(VOCABULARY[IMAGE]).toBe("<image>");
  expect(new Set(VOCABULARY).size).toBe(VOCABULARY.length);
  const [a, b] = [digits.train[0], digits.train[1]] as [Picture, Picture];
  const row = [...interleaved([[a, b]], generator(1)).flat()];
  expect(row.filter((id) => id === IMAGE)).toHaveLength(2);
  expect(row[0]).toBe(IMAGE);
});

const tiny = {
  depth: 1,
  vision: { steps: 2, rows: 4, learningRate: 1e-2 },
  language: { steps: 2, rows: 2, learningRate: 1e-2 },
  flamingo: { steps: 2, rows: 2, learningRate: 1e-2 },
};

const tinyOptions = (seed: number) => ({
  model: digitsModel(tiny.depth, seed),
  digits: { train: digits.train.slice(0, 30), heldOut: [] },
  plan: tiny,
  seed,
  backend: reference("float64"),
});

async function tinyRun(seed: number, more: object = {}) {
  const options = tinyOptions(seed);
  const { model } = options;
  const run = trainDigits({ ...options, ...more });
  const phases: string[] = [];
  const between: Map<string, string>[] = [];
  for (;;) {
    const next = await run.next();
    if (next.done) return { model, phases, between, result: next.value };
    phases.push(`${next.value.phase} ${next.value.step}/${next.value.of}`);
    between.push(snapshot(model.flamingo));
  }
}

test("[digits.seeded] [digits.frozen] the same seed gives the same bits, and each phase changes its own parameters only", async () => {
  const [a, b] = [await tinyRun(1), await tinyRun(1)];
  expect(a.phases).toEqual(PHASES.flatMap((phase) => [`${phase} 1/2`, `${phase} 2/2`]));
  expect(b.between.at(-1)).toEqual(a.between.at(-1));
  expect(b.result).toEqual(a.result);
  expect(a.result).toMatchObject({ frozenUnchanged: true, trainedChanged: true });
  expect(a.result.history).toHaveLength(2);
  const changed = (from: number, to: number) =>
    changedNames(a.between[from] as Map<string, string>, a.between[to] as Map<string, string>);
  const has = (names: string[], word: string) => names.some((name) => name.startsWith(word));
  expect(changed(0, 1).every((name) => name.startsWith("img_encoder."))).toBe(true);
  expect(has(changed(2, 3), "img_encoder") || has(changed(2, 3), "perceiver")).toBe(false);
  expect(changed(4, 5).every((name) => /^perceiver_resampler|^layers\.\d\.1\./.test(name))).toBe(true);
});

test("[digits.stop] [checkpoint.resume] a resumed run ends with the same bits", async () => {
  const checkpoints = join(workspace, "resume-");
  const whole = await tinyRun(1, { checkpoints });
  rmSync(`${checkpoints}flamingo.safetensors`);
  const rest = await tinyRun(1, { checkpoints, resume: true });
  expect(rest.phases).toEqual(["flamingo 1/2", "flamingo 2/2"]);
  expect(rest.between.at(-1)).toEqual(whole.between.at(-1));
  expect(rest.result).toEqual(whole.result);
  const done = await tinyRun(1, { checkpoints, resume: true }); // all phases are complete
  expect([done.phases, done.result]).toEqual([[], whole.result]);
});

const otherDigits = { train: digits.train.slice(1, 31), heldOut: [] };
const longer = { ...tiny, language: { ...tiny.language, steps: 3 } };
test.each<[string, number, object]>([
  ['seed is "1" there and "2" here', 2, {}],
  ['language steps is "2" there and "3" here', 1, { plan: longer }],
  ['data is "', 1, { digits: otherDigits }],
  ['backend is "reference float64" there and "reference float32" here', 1, { backend: reference("float32") }],
])("[checkpoint.run] [digits.stop] a run is not resumed where %s", async (words, seed, changes) => {
  const checkpoints = join(workspace, "other-");
  await tinyRun(1, { checkpoints });
  await expect(tinyRun(seed, { checkpoints, resume: true, ...changes })).rejects.toThrow(words);
});

test("[digits.stop] the checkpoint of another phase is refused", async () => {
  const checkpoints = join(workspace, "renamed-");
  await tinyRun(1, { checkpoints });
  copyFileSync(`${checkpoints}vision.safetensors`, `${checkpoints}language.safetensors`);
  await expect(tinyRun(1, { checkpoints, resume: true })).rejects.toThrow(
    'phase is "vision" there and "language" here',
  );
});

test("[digits.fresh] a new run in the folder of another, stopped and resumed, is the new run", async () => {
  const checkpoints = join(workspace, "fresh-");
  await tinyRun(1, { checkpoints });
  const run = trainDigits({ ...tinyOptions(2), checkpoints });
  for await (const { phase, step } of run) if (phase === "vision" && step === 2) break;
  const left = readdirSync(workspace).filter((name) => name.startsWith("fresh-"));
  expect(left).toEqual(["fresh-vision.safetensors"]);
  const resumed = await tinyRun(2, { checkpoints, resume: true });
  expect(resumed.phases[0]).toBe("language 1/2");
  expect(resumed.between.at(-1)).toEqual((await tinyRun(2)).between.at(-1));
});

test("[digits.fresh] two runs in one folder at a time: one of them is refused, and no checkpoints of both are left", async () => {
  for (const [steps, next] of [
    [2, 9],
    [3, 9],
    [5, 1],
  ] as const) {
    const checkpoints = join(workspace, `shared-${steps}-`);
    const runs = [1, 2].map((seed) => trainDigits({ ...tinyOptions(seed), checkpoints })) as [
      ReturnType<typeof trainDigits>,
      ReturnType<typeof trainDigits>,
    ];
    const advance = async (run: (typeof runs)[number], most: number) => {
      for (let i = 0; i < most; i++) if ((await run.next()).done) return "done";
      return "going";
    };
    const outcome = (run: (typeof runs)[number], most: number) =>
      advance(run, most).catch((error: unknown) =>
        error instanceof LoadError ? error.message : "another error",
      );
    await advance(runs[0], steps);
    await outcome(runs[1], next);
    const ends = [await outcome(runs[0], 99), await outcome(runs[1], 99)];
    expect(ends.filter((end) => /another run in the same folder/.test(end))).not.toHaveLength(0);
    expect(ends).not.toContain("another error");
    const seeds = readdirSync(workspace)
      .filter((name) => name.startsWith(`shared-${steps}-`))
      .map((name) => loadSafetensors(join(workspace, name)).metadata.get("run.seed"));
    expect(new Set(seeds).size).toBe(1);
  }
});

test("[digits.seeded] no phase of the quick plan has more steps than in the full plan", () => {
  for (const phase of PHASES) expect(plans.quick[phase].steps).toBeLessThanOrEqual(plans.full[phase].steps);
});

describe("the model in the package", () => {
  const model = loadDigitsModel(SHIPPED);
  const some = digits.heldOut.slice(0, 40);

  test("[digits.accuracy] [digits.swapped] [digits.blanked] captions follow the pictures", async () => {
    const { plain, swapped, blanked } = await evidence(model, some, 2);
    expect(plain.all).toBeGreaterThanOrEqual(0.9);
    expect(swapped.all).toBeGreaterThanOrEqual(0.9);
    expect(blanked.all).toBeLessThanOrEqual(0.3);
    expect(plain.places).toHaveLength(2);
  });

  test("[digits.conventions] a convention that shows other pictures lowers the accuracy", async () => {
    const rows = await underConventions(model, some.slice(0, 24), 2, undefined, [
      conventions["all-previous"],
    ]);
    expect(rows).toHaveLength(1);
    expect(otherConventions).toHaveLength(Object.keys(conventions).length - 1);
    const [all] = rows;
    expect(all?.condition).toEqual({ kind: "convention", convention: "all-previous" });
    expect(all?.places[0]).toBeGreaterThan(0.8); // with one picture the conventions agree
    expect(all?.places[1]).toBeLessThan(0.8);
  });

  test("[digits.conventions] the guide's table has a row for every other convention, with two pictures and with three", () => {
    const guide = readFileSync("docs/guides/30-training.md", "utf8");
    const rows = [...guide.matchAll(/^\| (\d) pictures, mask: ([^|]+) \|/gm)].map(
      ([, n, name]) => `${n} ${name}`,
    );
    expect(rows).toEqual([2, 3].flatMap((n) => otherConventions.map(({ name }) => `${n} ${name}`)));
  });

  test("[digits.model-file] a saved model is byte for byte the file that was loaded, under a megabyte; other files are refused", () => {
    expect(statSync(SHIPPED).size).toBeLessThan(1_000_000);
    const copy = join(workspace, "copy.safetensors");
    saveDigitsModel(copy, model);
    expect(readFileSync(copy)).toEqual(readFileSync(SHIPPED));
    expect(() => loadDigitsModel("golden/data/digits.safetensors")).toThrow(
      "is not a model written by train digits",
    );
  });
});

test("[digits.accuracy] a caption with no digit, or with two, names none", () => {
  expect(NUMBERS.map((word) => digitNamed(encode(`a ${word} .`)))).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  expect(digitNamed(encode("this is a ."))).toBeNull();
  expect(digitNamed(encode("a one two ."))).toBeNull();
});

test("[digits.swapped] sequences are the same in every run and share no picture", async () => {
  const rows = sequencesFrom(digits.heldOut, 3);
  expect(rows).toHaveLength(99);
  expect(new Set(rows.flat()).size).toBe(297);
  expect(sequencesFrom(digits.heldOut, 3)).toEqual(rows);
  const [captions] = await captionsOf(digitsModel(1, 1), rows.slice(0, 1));
  expect(captions).toHaveLength(3);
  expect(captions?.every((words) => words.length > 0 && !words.includes(IMAGE))).toBe(true);
});

test("[digits.drawing] pictures that do not fit are drawn below the others", () => {
  const captions = ["it looks like an eight .", "a one .", "", "a two ."]; // the first has 24 columns
  const drawing = drawPictures([BLANK, BLANK, BLANK, BLANK], captions).split("\n");
  expect(drawing).toHaveLength(9 + 1 + 9); // three in a row: 2 + 3 · 24 + 2 · 3 = 80
  expect(Math.max(...drawing.map((line) => line.length))).toBeLessThanOrEqual(80);
  expect(drawing.at(-1)).toBe("  a two .");
  expect(drawPictures([BLANK, BLANK], captions.slice(0, 2), { width: 30 }).split("\n")).toHaveLength(19);
});

test("[digits.drawing] a drawing has eight lines and a caption", () => {
  const one: Picture = { digit: 1, pixels: Float64Array.from({ length: 64 }, (_, i) => Number(i % 8 === 3)) };
  const drawing = drawPictures([one, BLANK], ["a one .", "blank"], { ascii: true }).split("\n");
  expect(drawing).toHaveLength(9);
  expect(drawing.slice(0, 8)).toEqual(Array.from({ length: 8 }, () => "        ##"));
  expect(drawing[8]).toBe(`  ${"a one .".padEnd(16)}   blank`);
  expect(drawPictures([one], [""])).toContain("██");
});

const report: DigitsReport = {
  seed: 3,
  plan: "quick",
  seconds: 61.4,
  backend: "reference",
  classifier: 0.97,
  frozenUnchanged: true,
  trainedChanged: false,
  rows: (["as-trained", "swapped", "blanked"] as const).map((kind, i) => ({
    pictures: 2,
    condition: { kind },
    all: (9 - i) / 10,
    places: [0.5, 0.25],
  })),
  history: [
    [
      { attn: 0, ff: 0 },
      { attn: 0, ff: 0 },
    ],
    [
      { attn: -0.5, ff: 0.25 },
      { attn: 1, ff: -1 },
    ],
  ],
};

test("[digits.document] the keys of --json", () => {
  expect(digitsDocument(report)).toEqual({
    seconds: 61.4,
    heldOut: { accuracy: 0.9, blanked: 0.7, swapped: 0.8 },
    frozenUnchanged: true,
    gates: report.history[1],
  });
});

test("[digits.document] the results fit a terminal of 80 columns", () => {
  const long = [
    {
      pictures: 3,
      condition: { kind: "convention", convention: "flamingo-pytorch@0.1.2 immediate" } as const,
      all: 1,
      places: [1, 1, 1],
    },
  ];
  const text = digitsText({ ...report, rows: [...report.rows, ...long] }, painter(false), 80);
  expect(text).toMatch(
    /\n3 pictures, mask: flamingo-pytorch@0\.1\.2 immediate +100\.0 +100\.0 +100\.0 +100\.0/,
  );
  expect(text).toMatch(/\n1 +1\.000 +1\.000$/);
  expect(text.split("\n").filter((line) => line.length > 80)).toEqual([]);
});

test("[digits.report] only the text between the marks is replaced", () => {
  const marks = ["<!-- a -->", "<!-- b -->"] as const;
  const document = "one <!-- a --> old <!-- b --> two";
  expect(replaceBetween(document, "new", marks)).toBe("one <!-- a -->\n\nnew\n\n<!-- b --> two");
  expect(replaceBetween(replaceBetween(document, "x", marks) ?? "", "new", marks)).toBe(
    replaceBetween(document, "new", marks),
  );
  expect(replaceBetween("<!-- b --> <!-- a --> old <!-- b -->", "new", marks)).toBe(
    "<!-- b --> <!-- a -->\n\nnew\n\n<!-- b -->",
  );
  const unclear = [
    "",
    "notes",
    "<!-- a --> x",
    "<!-- b --> x <!-- a -->",
    "<!-- a --> <!-- a --> <!-- b -->",
  ];
  expect(unclear.map((text) => replaceBetween(text, "new", marks))).toEqual(unclear.map(() => null));
  const text = digitsMarkdown(report);
  expect(text).toContain("| 2 pictures, as trained | 90.0 % | 50.0 % | 25.0 % |  |");
  expect(text).toContain("| 1 | 1.000 | 1.000 |");
  expect(text).toContain("All trained parameters changed: NO");
});

test("[digits.gates-picture] the chart has a line for each gate of each layer", () => {
  const svg = gatesPicture(report.history);
  expect(svg.match(/<polyline/g)).toHaveLength(4);
  expect(svg.match(/stroke-dasharray/g)).toHaveLength(2);
  expect(svg).toContain('points="44.0,276.0 676.0,160.0"'); // |−0.5| is half of the height
});

test("[digits.scan] an enlarged digit, dark on light or light on dark, becomes the digit", () => {
  const big = (picture: Picture, dark: boolean) => ({
    width: 40,
    height: 40,
    values: Float64Array.from({ length: 1600 }, (_, i) => {
      const ink = picture.pixels[Math.floor(i / 40 / 5) * 8 + Math.floor((i % 40) / 5)] ?? 0;
      return dark ? 1 - ink : ink;
    }),
  });
  const seven = digits.heldOut.find(({ digit }) => digit === 7) as Picture;
  for (const dark of [true, false]) {
    const { pixels } = scan(big(seven, dark));
    for (const [i, x] of pixels.entries()) expect(x).toBeCloseTo(seven.pixels[i] ?? 0, 12);
  }
  const wide = scan({
    width: 16,
    height: 8,
    values: Float64Array.from({ length: 128 }, (_, i) => Number(i % 16 === 8)),
  });
  expect([...wide.pixels].map((x, i) => (x > 0 ? i % 8 : -1)).filter((x) => x >= 0)).toEqual([4, 4, 4, 4]);
});

describe("the command", () => {
  test("[digits.document] [digits.report] [digits.gates-picture] a short run writes a model, a chart and a report", () => {
    const out = join(workspace, "run");
    const page = join(workspace, "page.md");
    writeFileSync(page, "# Page\n<!-- evidence -->\n<!-- end -->\n");
    const args = [
      "--quick",
      "--scale",
      "0.004",
      "--held-out",
      "12",
      "--out",
      out,
      "--report",
      page,
      "--json",
      "--backend",
      "reference",
    ];
    const { status, stdout, stderr } = flamboyance("train", "digits", ...args);
    expect([status, stderr]).toEqual([0, ""]);
    const document = JSON.parse(stdout);
    expect(Object.keys(document)).toEqual(["seconds", "heldOut", "frozenUnchanged", "gates"]);
    expect(document.frozenUnchanged).toBe(true);
    expect(document.gates).toHaveLength(2);
    expect(readFileSync(page, "utf8")).toMatch(/^# Page\n<!-- evidence -->\n\nPlan `quick`, seed 1/);
    for (const file of ["model.safetensors", "report.md", "gates.svg", "checkpoint-flamingo.safetensors"])
      expect(existsSync(join(out, file))).toBe(true);
    expect(loadDigitsModel(join(out, "model.safetensors")).depth).toBe(2);
  });

  const short = ["train", "digits", "--quick", "--scale", "0.004", "--backend", "reference"];

  /** Sends a signal to a run when one of its files exists, and returns its status and stderr. */
  async function stopped(args: string[], signal: "SIGINT" | "SIGTERM", when: string) {
    const child = spawn(process.execPath, ["dist/cli/main.js", ...args], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    let text = "";
    child.stderr.on("data", (more) => (text += more));
    const ended = new Promise<number | null>((resolve) => child.once("close", (code) => resolve(code)));
    while (!existsSync(when) && child.exitCode === null)
      await new Promise((resolve) => setTimeout(resolve, 20));
    await new Promise((resolve) => setTimeout(resolve, 300));
    child.kill(signal);
    return [await ended, text];
  }

  test.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const)(
    "[digits.stop] %s during training or evidence ends with %i and names --resume",
    async (signal, status) => {
      for (const file of ["", "checkpoint-flamingo.safetensors"]) {
        const out = join(workspace, `stopped-${signal}${file}`);
        const args = file === "" ? ["train", "digits", "--backend", "reference"] : short; // all 299 pictures
        expect(await stopped([...args, "--out", out], signal, join(out, file))).toEqual([
          status,
          `flamboyance: stopped; --resume continues from ${out}\n`,
        ]);
        expect(readdirSync(out).filter((name) => /tmp|model|report/.test(name))).toEqual([]);
      }
    },
  );

  test("[digits.fresh] [digits.stop] a resumed run ends with the files of an unbroken one, also in the folder of another", () => {
    const files = (out: string) =>
      readdirSync(out).map((name) => {
        const text = readFileSync(join(out, name), "latin1");
        return [name, name === "report.md" ? text.replace(/: \d+ seconds/, "") : text];
      });
    const [one, two] = [join(workspace, "one"), join(workspace, "two")];
    const args = [...short, "--held-out", "6"];
    expect(flamboyance(...args, "--seed", "1", "--out", one).status).toBe(0);
    expect(flamboyance(...args, "--seed", "2", "--out", two).status).toBe(0);
    const refused = flamboyance(...args, "--seed", "2", "--resume", "--out", one);
    expect(refused.stderr).toMatch(/seed is "1" there and "2" here; .*--out, or start anew without --resume/);
    expect(refused.status).toBe(2);
    expect(existsSync(join(one, "model.safetensors"))).toBe(true);
    expect(flamboyance(...args, "--seed", "2", "--out", one).status).toBe(0);
    for (const name of ["checkpoint-flamingo.safetensors", "gates.svg", "report.md"]) rmSync(join(one, name));
    expect(flamboyance(...args, "--seed", "2", "--resume", "--out", one).status).toBe(0);
    expect(files(one)).toEqual(files(two));
  });

  test("[digits.report] documents without a place for the report are refused before training, and stay as they are", () => {
    const folder = join(workspace, "documents");
    mkdirSync(folder);
    const contents: Record<string, string> = {
      "notes.md": "my notes\n",
      "half.md": "<!-- evidence -->\n",
      "latin.md": "caf\u00e9 <!-- evidence --><!-- end -->",
      "twice.md": "<!-- evidence --> a <!-- evidence --> b <!-- end -->",
    };
    for (const [name, text] of Object.entries(contents)) writeFileSync(join(folder, name), text, "latin1");
    spawnSync("mkfifo", [join(folder, "pipe")]);
    for (const name of [...Object.keys(contents), "pipe", ".", "notes.md/x"]) {
      const out = join(folder, "out");
      const { status, stderr, stdout } = flamboyance(
        ...short,
        "--held-out",
        "6",
        "--out",
        out,
        "--report",
        join(folder, name),
      );
      expect([name, status, stdout]).toEqual([name, 2, ""]);
      expect(stderr).toMatch(/^flamboyance: [^\n]*; [^\n]+\n$|not a file/);
      expect(readdirSync(out)).toEqual([]);
    }
    for (const [name, text] of Object.entries(contents))
      expect(readFileSync(join(folder, name), "latin1")).toBe(text);
    const created = join(folder, "new", "report.md");
    const twice = [...short, "--held-out", "6", "--out", join(folder, "out"), "--report", created];
    expect(flamboyance(...twice).status).toBe(0);
    expect(flamboyance(...twice, "--resume").status).toBe(0);
    expect(readFileSync(created, "utf8")).toMatch(
      /^<!-- evidence -->\n\nPlan `quick`[\s\S]*\n\n<!-- end -->\n$/,
    );
  });

  test.each([
    [["train"], "digits"],
    [["train", "letters"], "letters"],
    [["train", "digits", "--seed", "x"], "--seed"],
    [["train", "digits", "--scale", "0"], "--scale"],
    [["train", "digits", "--backend", "abacus"], "auto, simd, reference"],
  ])("[digits.document] %j is a usage error", (args, word) => {
    const { status, stderr } = flamboyance(...args);
    expect(stderr).toContain(word);
    expect(status).toBe(3);
  });
});

test("[digits.model-file] the weights of the model in the package are read as float32", () => {
  const { flamingo } = loadDigitsModel(SHIPPED);
  expect(flat(flamingo.token_emb.weight.data)).toBeInstanceOf(Float32Array);
});
