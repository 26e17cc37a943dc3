import { cpSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { widthOf } from "../../src/terminal/width.ts";
import { flamboyance } from "../support/fixtures/command.ts";
import { folders, temporary } from "../support/fixtures/temporary.ts";

const CASES = "golden/cases/flamingo-pytorch";
const NORM = `${CASES}/palm-layer-norm--two-axes`;

const workspace = temporary();
const fresh = folders();
beforeAll(() => {
  if (!existsSync("dist/cli/main.js")) throw new Error("the command line is not built: npm run build");
});

/** A case without its expected file. */
function broken(): string {
  const folder = fresh();
  cpSync(NORM, folder, { recursive: true });
  rmSync(join(folder, "expected.safetensors"));
  return folder;
}

describe("exit status", () => {
  test("0 when all conform, with a table of modules", () => {
    const { status, stdout } = flamboyance("check", NORM);
    expect(stdout).toMatch(/^LayerNorm +1 +\S+ of 1\.0e-12/m);
    expect(stdout).toContain("1 of 1 cases conform");
    expect(status).toBe(0);
  });

  test("a package stands in front of a class that another one in the table has, too, and both fit", () => {
    const gated = ["flamingo-pytorch", "open-flamingo"].map((name) =>
      join("golden/cases", name, "gated-cross-attention-block--gates-zero"),
    );
    const { stdout } = flamboyance(
      "check",
      NORM,
      join("golden/cases", "torch", "layer-norm--basic"),
      ...gated,
    );
    const names = stdout.split("\n").map((line) => line.split(" ")[0] ?? "");
    expect(names.filter((name) => /Norm|Gated/.test(name)).sort()).toEqual([
      "flam../GatedCrossAtten..",
      "flamingo-pyt../LayerNorm",
      "open../GatedCrossAtten..",
      "torch/LayerNorm",
    ]);
  });

  test("2 when an expected file is missing, naming it", () => {
    const { status, stdout } = flamboyance("check", broken());
    expect(stdout).toContain("expected.safetensors");
    expect(status).toBe(2);
  });

  test("2 where a file is missing, with control characters of its name escaped", () => {
    const { status, stderr } = flamboyance("check", join(workspace, "a\u001b[31m"));
    expect(stderr).toContain("a\\u{1b}[31m");
    expect(stderr).not.toContain("\u001b");
    expect(status).toBe(2);
  });

  test("2 where there is no case", () => {
    const empty = join(workspace, "empty");
    mkdirSync(empty, { recursive: true });
    const { status, stderr } = flamboyance("check", empty);
    expect(stderr).toContain("case.json");
    expect(status).toBe(2);
  });

  test("1 when another implementation's numbers differ", () => {
    const out = join(workspace, "coarse");
    flamboyance("check", NORM, "--precision", "bfloat16", "--out", out);
    const { status, stdout } = flamboyance("conform", "--actual", out, NORM);
    expect(stdout).toContain("outputs.out");
    expect(status).toBe(1);
  });

  test("conform accepts the results that check writes; a missing result is an error", () => {
    const out = join(workspace, "mine");
    expect(flamboyance("check", NORM, "--precision", "float32", "--out", out).status).toBe(0);
    expect(flamboyance("conform", "--actual", out, NORM).status).toBe(0);
    expect(flamboyance("conform", "--actual", out, `${CASES}/swiglu--two-axes`).status).toBe(2);
  });
});

describe("a folder to write to that cannot be used is named with a reason, before anything is computed", () => {
  const file = join(workspace, "file");
  const train = ["train", "digits", "--quick", "--scale", "0.004", "--out"];
  const commands = [["check", NORM, "--out"], ["probe", "--keep"], train];
  const folders: [string, number, string][] = [
    ["", 3, "is empty; name a folder"],
    [file, 2, `cannot create ${file}: there is a file of this name; choose another name`],
    [join(file, "x"), 2, "a part of the path is a file; check the path"],
    [join(workspace, "x".repeat(300)), 2, "its name is too long; choose a shorter one"],
    ["/proc/flamboyance", 2, "cannot create /proc/flamboyance: "],
  ];
  test.each(commands.map((command) => [command.join(" "), command] as const))("%s", (name, command) => {
    writeFileSync(file, "");
    for (const [folder, status, words] of folders) {
      const rest = name.startsWith("probe") ? ["--", "true"] : [];
      const run = flamboyance(...command, folder, ...rest);
      expect(run.stderr).toContain(words);
      expect([folder, run.status, run.stdout]).toEqual([folder, status, ""]);
    }
  });
});

test.each([
  [["frobnicate"], 'there is no command "frobnicate"; the commands are'],
  [["chekc"], 'there is no command "chekc" (did you mean "check"?); the commands are'],
  [["--hlep"], 'there is no command "--hlep" (did you mean "--help"?)'],
  [["toString"], 'there is no command "toString"'],
  [["check", "--frobnicate"], 'there is no option "--frobnicate"\n'],
  [["train", "digits", "--out", "a", "--resume", "--out", "b"], "--out is given twice; give it once"],
  [["train", "digits", "--held-out", "300"], '--held-out is a whole number from 6 to 299, not "300"'],
  [["check", "--precison", "float64"], 'there is no option "--precison" (did you mean "--precision"?)'],
  [["mask", "--conventoin=idefics", "a"], '(did you mean "--convention"?)'],
  [["train", "digits", "--hasOwnProperty"], 'there is no option "--hasOwnProperty"'],
  [["train", "digits", "--seed"], "--seed"],
  [["check", "--precision", "float80"], "float64, float32, bfloat16, float16"],
  [["check", "--backend", "abacus"], "reference, gpu"],
  [["check", "--mode", "cpu"], "--backend gpu"],
  [["check", "--backend", "gpu", "--precision", "float64"], "float32"],
  [["check", "--json", "--junit"], "--json and --junit"],
  [["conform"], "--actual"],
  [["bench", "--quick", "--only", "matmul", "attention"], 'given "attention"'],
])("%j is refused with exit 3", (args, named) => {
  const { status, stderr, stdout } = flamboyance(...args);
  expect(stderr).toContain(named);
  expect(stdout).toBe("");
  expect(status).toBe(3);
});

const COMMANDS = [
  "check",
  "conform",
  "cases",
  "probe",
  "mask",
  "inspect",
  "bench",
  "train",
  "digits",
  "write",
  "perceiver",
  "caption",
  "vqa",
  "data",
  "evaluate",
];

const TASKS = ["digits", "kosmos-digits", "perceiver-digits", "perceiver-flow", "smollm2-digits"];

test.each([
  [["--help"]],
  ...COMMANDS.map((name) => [[name, "--help"]]),
  ...TASKS.map((task) => [["train", task, "--help"]]),
])("%j has an example and fits 80 columns", (args) => {
  const { status, stdout } = flamboyance(...args);
  expect(stdout).toMatch(/Example\n +flamboyance /);
  expect(stdout).toMatch(/\nExit status\n {2}0 /);
  expect(stdout.split("\n").filter((line) => widthOf(line) > 80)).toEqual([]);
  expect(status).toBe(0);
});

test("--help names every command", () => {
  const { stdout } = flamboyance("--help");
  expect(
    COMMANDS.filter(
      (name) => !stdout.includes(`flamboyance ${name} `) && !stdout.includes(`flamboyance ${name}\n`),
    ),
  ).toEqual([]);
  expect(flamboyance("frobnicate").stderr).toContain([...COMMANDS].sort().join(", "));
});

describe("one document on stdout", () => {
  test("--json has the stable keys", () => {
    const { stdout } = flamboyance("check", NORM, "--json");
    const document = JSON.parse(stdout);
    expect(Object.keys(document)).toEqual(["summary", "kernels", "cases"]);
    expect(document.summary).toEqual({
      cases: 1,
      rows: expect.any(Number),
      passed: 1,
      failed: 0,
      errored: 0,
      skipped: 0,
    });
    expect(Object.keys(document.kernels)).toEqual([
      "matmul",
      "attention",
      "fallback",
      "fused",
      "unfused",
      "mode",
    ]);
    expect(document.cases[0]).toMatchObject({
      id: "flamingo-pytorch/palm-layer-norm--two-axes",
      status: "passed",
      worst: { tensor: "outputs.out", error: expect.any(Number), tolerance: expect.any(Number) },
      firstDivergence: null,
    });
  });

  test("--junit escapes what it quotes, --markdown has a row for each case", () => {
    expect(flamboyance("check", NORM, "--junit").stdout).toMatch(
      /^<\?xml[^>]*\?>\n<testsuite [^>]*tests="1"/,
    );
    expect(flamboyance("check", NORM, "--markdown").stdout).toMatch(
      /\| flamingo-pytorch\/palm-layer-norm--two-axes \| passed/,
    );
  });
});

describe("kernels", () => {
  test.each(["webasm", "cpu"])(
    "every product of a model runs in gpu.js %s, and the document says so",
    (mode) => {
      const folder = `${CASES}/flamingo-palm--every-second`;
      const { status, stdout } = flamboyance("check", "--backend", "gpu", "--mode", mode, "--json", folder);
      const { kernels } = JSON.parse(stdout);
      expect(kernels).toMatchObject({ fallback: 0, mode });
      expect(kernels.matmul).toBeGreaterThan(10);
      expect(kernels.attention).toBeGreaterThan(3);
      expect(status).toBe(0);
    },
  );
});

test("the small cases run by default, and none of them under --full", () => {
  const { stdout, status } = flamboyance("check", `${CASES}/../`, "--json");
  const ids = JSON.parse(stdout).cases.map((c: { id: string }) => c.id);
  const all = readdirSync("golden/cases").flatMap((name) => readdirSync(`golden/cases/${name}`)).length;
  const full = ids.filter((id: string) => id.includes("--full"));
  expect(full).toEqual([]);
  expect(ids.length).toBeGreaterThan(60);
  expect(ids.length).toBeLessThan(all);
  expect(status).toBe(0);
});
