// `flamboyance check` on folders that are not as they should be: nothing is left out silently, and one bad case costs no other
// its verdict.
import { spawnSync } from "node:child_process";
import { chmodSync, cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { widthOf } from "../../src/terminal/width.ts";
import { folders } from "../support/fixtures/temporary.ts";

const CASES = `${process.cwd()}/golden/cases`;
const NORM = `${CASES}/flamingo-pytorch/palm-layer-norm--two-axes`;
const SWIGLU = `${CASES}/flamingo-pytorch/swiglu--two-axes`;
const FULL = `${CASES}/flamingo-pytorch/gated-cross-attention-block--full-readme`;
const ID = "flamingo-pytorch/palm-layer-norm--two-axes";

const fresh = folders();

/** Reports the peak memory of a process in KB as the last line of stderr. */
const MEMORY = `data:text/javascript,${encodeURIComponent(
  'process.on("exit", () => process.stderr.write("\\n" + process.resourceUsage().maxRSS));',
)}`;

function check(args: readonly string[]) {
  const start = performance.now();
  const command = ["--import", MEMORY, "dist/cli/main.js", "check", ...args];
  const { status, stdout, stderr } = spawnSync(process.execPath, command, {
    encoding: "utf8",
    maxBuffer: 1 << 26,
  });
  const lines = stderr.split("\n");
  const megabytes = Number(lines.pop()) / 1024;
  return { status, stdout, stderr: lines.join("\n"), megabytes, seconds: (performance.now() - start) / 1000 };
}

const document = (...args: string[]) => {
  const { status, stdout } = check([...args, "--json", "--precision", "float64"]);
  return { status, ...JSON.parse(stdout) };
};

/** A folder with copies of cases at these paths. */
function folderOf(cases: Readonly<Record<string, string>>): string {
  const folder = fresh();
  for (const [path, from] of Object.entries(cases)) cpSync(from, join(folder, path), { recursive: true });
  return folder;
}

function rewrite(folder: string, change: (manifest: Record<string, unknown>) => object): void {
  const path = join(folder, "case.json");
  const manifest = JSON.parse(readFileSync(path, "utf8"));
  writeFileSync(path, JSON.stringify({ ...manifest, ...change(manifest) }));
}

describe("skipped cases", () => {
  test("full-size cases beside others are counted and named", () => {
    const folder = folderOf({
      [ID]: NORM,
      "flamingo-pytorch/gated-cross-attention-block--full-readme": FULL,
    });
    const { status, summary, cases, skipped } = document(folder);
    expect(summary).toMatchObject({ cases: 1, passed: 1, skipped: 1 });
    expect(cases.map(({ id }: { id: string }) => id)).toEqual([ID]);
    expect(skipped).toEqual([
      {
        id: "flamingo-pytorch/gated-cross-attention-block--full-readme",
        reason: expect.stringContaining("--full"),
      },
    ]);
    expect(status).toBe(0);
    expect(check([folder]).stdout).toMatch(
      /1 skipped\n\nskipped, full-size cases, which --full runs:\s+flamingo-pytorch\/gated-cross-attention-block--full-readme\n/,
    );
  });

  test("a run in which all cases are skipped has compared nothing", () => {
    const folder = folderOf({ "flamingo-pytorch/gated-cross-attention-block--full-readme": FULL });
    const { status, summary } = document(folder);
    expect([status, summary.cases, summary.skipped]).toEqual([2, 0, 1]);
    const small = folderOf({ [ID]: NORM });
    const { status: other, stdout } = check([small, "--full"]);
    expect(stdout).toContain("no case was run");
    expect(other).toBe(2);
  });
});

describe("folders", () => {
  test("cases behind links are run, and each folder once", () => {
    const folder = folderOf({ "real/flamingo-pytorch/swiglu--two-axes": SWIGLU });
    mkdirSync(join(folder, "cases/flamingo-pytorch"), { recursive: true });
    symlinkSync(NORM, join(folder, "cases", ID));
    symlinkSync(join(folder, "real"), join(folder, "cases/link"));
    symlinkSync(join(folder, "cases"), join(folder, "cases/loop"));
    const files = join(folder, "cases/flamingo-pytorch/swiglu--basic");
    mkdirSync(files);
    for (const name of ["case.json", "inputs.safetensors", "expected.safetensors"])
      symlinkSync(`${CASES}/flamingo-pytorch/swiglu--basic/${name}`, join(files, name));
    const { status, summary, cases } = document(join(folder, "cases"));
    expect(cases.map(({ id }: { id: string }) => id)).toEqual([
      ID,
      "flamingo-pytorch/swiglu--basic",
      "flamingo-pytorch/swiglu--two-axes",
    ]);
    expect([status, summary.passed]).toEqual([0, 3]);
  });

  test("two folders of one id are an error that names both, and the other cases run", () => {
    const folder = folderOf({ [ID]: NORM, "again/norm": NORM, "flamingo-pytorch/swiglu--two-axes": SWIGLU });
    const { status, summary, cases } = document(folder);
    expect(summary).toMatchObject({ passed: 1, errored: 1 });
    const twice = cases.find(({ id }: { id: string }) => id === ID);
    expect(twice.error).toContain(`${folder}/again/norm and ${folder}/${ID} have this id; rename one`);
    expect(status).toBe(2);
  });

  test("a folder whose path is not its id is reported", () => {
    const folder = folderOf({ "somewhere/norm": NORM, "flamingo-pytorch/swiglu--two-axes": SWIGLU });
    const { status, moved } = document(folder);
    expect(moved).toEqual([{ id: ID, folder: `${folder}/somewhere/norm` }]);
    expect(status).toBe(0);
    expect(check([folder]).stdout).toMatch(
      /the folder\s+\S+\/somewhere\/norm\s+holds the case\s+flamingo-pytorch\/palm/,
    );
  });

  test("tensors without a manifest, links to nothing and folders that cannot be listed are errors", () => {
    const folder = folderOf({ [ID]: NORM, "a/without": SWIGLU, "b/other": SWIGLU });
    rmSync(join(folder, "a/without/case.json"));
    cpSync(join(folder, "b/other/case.json"), join(folder, "b/other/training.json"));
    rmSync(join(folder, "b/other/case.json"));
    symlinkSync(join(folder, "nothing"), join(folder, "dangling"));
    symlinkSync("/", join(folder, "disk"));
    const { status, summary, cases, otherKinds } = document(folder);
    expect(summary).toMatchObject({ passed: 1, errored: 3 });
    const problem = (name: string) =>
      cases.find(({ id }: { id: string }) => id === `${folder}/${name}`)?.error;
    expect(problem("a/without")).toContain("tensors without a case.json");
    expect(problem("dangling")).toContain("a link to nothing");
    expect(problem("disk")).toContain("cannot be listed");
    expect(otherKinds).toEqual([{ folder: `${folder}/b/other`, manifest: "training.json" }]);
    expect(status).toBe(2);
  });
});

describe("paths", () => {
  test.each([
    ["a folder that does not exist", () => fresh(), /no cases at .*: there is nothing/],
    ["an empty folder", () => folderOf({}), /no cases at/],
    ["a file", () => `${NORM}/case.json`, /there is a file, not a folder/],
    ["a device", () => "/dev/zero", /there is a file, not a folder/],
  ])("%s: a sentence, and status 2", (_, path, sentence) => {
    const at = path();
    if (_ === "an empty folder") mkdirSync(at);
    const { status, stderr, stdout } = check([at]);
    expect(stderr.replaceAll("\n", " ")).toMatch(sentence);
    expect([status, stdout]).toEqual([2, ""]);
  });

  test.each([
    ["a pipe", (path: string) => spawnSync("mkfifo", [path])],
    ["a link to an endless device", (path: string) => symlinkSync("/dev/zero", path)],
    ["a link to itself", (path: string) => symlinkSync(path, path)],
    ["a folder", (path: string) => mkdirSync(path)],
  ])("%s in place of a file of a case is an error of that case", (_, replace) => {
    for (const name of ["case.json", "inputs.safetensors", "expected.safetensors"]) {
      const folder = folderOf({ [ID]: NORM, "flamingo-pytorch/swiglu--two-axes": SWIGLU });
      const path = join(folder, "flamingo-pytorch/swiglu--two-axes", name);
      rmSync(path);
      replace(path);
      const { status, summary } = document(folder);
      expect([name, status, summary.passed, summary.errored]).toEqual([name, 2, 1, 1]);
    }
  });

  test("a manifest that may not be read is an error of that case", () => {
    if (process.getuid?.() === 0) return expect(process.getuid()).toBe(0); // root reads everything
    const folder = folderOf({ [ID]: NORM, "flamingo-pytorch/swiglu--two-axes": SWIGLU });
    chmodSync(join(folder, "flamingo-pytorch/swiglu--two-axes/case.json"), 0);
    const { status, summary } = document(folder);
    expect([status, summary.passed, summary.errored]).toEqual([2, 1, 1]);
  });
});

describe("small files that ask for much", () => {
  const hostile: Record<string, [string, (manifest: Record<string, unknown>) => object]> = {
    "a billion layers": [
      `${CASES}/vit-pytorch/vit--mean`,
      ({ config }) => ({ config: { ...(config as object), depth: 1e9 } }),
    ],
    "150 recipes that no call uses": [
      `${CASES}/flamingo-pytorch/feed-forward--basic`,
      ({ inputs, recipes }) => ({
        inputs: { ...(inputs as object), ...named((i) => [`z${i}`, { dtype: "I64", shape: [1 << 24] }]) },
        recipes: { ...(recipes as object), ...named((i) => [`inputs.z${i}`, { low: 0, high: 7 }]) },
      }),
    ],
    "a full-size case of 2^40 elements": [
      FULL,
      ({ inputs }) => ({
        inputs: { ...(inputs as object), media: { dtype: "BF16", shape: [1, 2, 2 ** 30, 1024] } },
      }),
    ],
    "a shape of 10^15 elements": [
      `${CASES}/flamingo-pytorch/feed-forward--basic`,
      ({ inputs, recipes }) => ({
        inputs: { ...(inputs as object), input: { dtype: "BF16", shape: [1e15] } },
        recipes: { ...(recipes as object) },
      }),
    ],
    "long names": [`${CASES}/flamingo-pytorch/feed-forward--basic`, () => ({ profile: "p".repeat(900_000) })],
  };
  const named = (entry: (i: number) => [string, object]) =>
    Object.fromEntries(Array.from({ length: 150 }, (_, i) => entry(i)));

  test("each ends in a sentence within 5 seconds and 500 MB, and leaves the other verdicts", () => {
    const cases = Object.entries(hostile);
    const folder = folderOf({
      [ID]: NORM,
      ...Object.fromEntries(cases.map(([, [from]], i) => [`hostile/${i}`, from])),
    });
    cases.forEach(([, [, change]], i) => {
      const at = join(folder, `hostile/${i}`);
      rewrite(at, (m) => ({ ...change(m), id: `hostile/${i}` }));
      rmSync(join(at, "inputs.safetensors"));
      cpSync(`${cases[i]?.[1][0]}/inputs.safetensors`, join(at, "inputs.safetensors"));
    });
    mkdirSync(join(folder, "deep"));
    writeFileSync(join(folder, "deep/case.json"), "[".repeat(400_000) + "]".repeat(400_000));
    const { status, stdout, seconds, megabytes } = check([folder, "--json", "--precision", "float64"]);
    const { summary, cases: verdicts } = JSON.parse(stdout);
    expect(summary).toMatchObject({ passed: 1, failed: 0, errored: cases.length + 1, skipped: 0 });
    for (const { id, error } of verdicts) if (id !== ID) expect(error).toMatch(/^LoadError: /);
    expect(seconds).toBeLessThan(5);
    expect(megabytes).toBeLessThan(500);
    expect(status).toBe(2);
  });
});

describe("80 columns", () => {
  const wide = (text: string) => text.split("\n").filter((line) => widthOf(line) > 80);

  test("long ids, classes, paths and sentences fit", () => {
    const long = `${"very-long-".repeat(6)}id/${"even-longer-".repeat(9)}case`;
    const folder = folderOf({ [ID]: NORM, [long]: SWIGLU, "deep/er/broken": SWIGLU, "b/failed": SWIGLU });
    rewrite(join(folder, long), () => ({ id: long, ["field".repeat(40)]: 1 }));
    rewrite(join(folder, "deep/er/broken"), () => ({ id: `${long}-2`, profile: "profile".repeat(30) }));
    rewrite(join(folder, "b/failed"), ({ source }) => ({
      id: `${"x".repeat(150)}/y`,
      source: { ...(source as object), class: "Class".repeat(30) },
    }));
    const { stdout, stderr } = check([folder]);
    expect(wide(stdout + stderr)).toEqual([]);
    expect(stdout).toContain("2 broken");
  });

  test("the cases of a package fit", () => {
    expect(wide(check([`${CASES}/vit-pytorch`]).stdout)).toEqual([]);
  });
});
