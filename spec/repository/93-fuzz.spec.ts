import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";

function fuzz(...words: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, ["spec/support/fuzz/run.mjs", ...words], {
    encoding: "utf8",
  });
  return { status, stdout, stderr };
}

const planted = (names: readonly string[]): string[] =>
  names.flatMap((name) => ["--only", `planted-${name}`]);

test("the fuzzer finds every kind of planted fault, and shows the input", () => {
  const faults = ["type-error", "rejection", "hang", "buffers", "allocation", "objects"];
  const { status, stdout } = fuzz(...planted(["nothing", ...faults]), "--seed", "1", "--inputs", "200");
  expect(status).toBe(1);
  expect(stdout).toMatch(/\n1 passed, 6 failed\n$/);
  const reports = stdout.split(/\nplanted-/).filter((part) => /^[a-z-]+: npm run fuzz/.test(part));
  const found = Object.fromEntries(reports.map((report) => [report.split(":")[0], report]));
  expect(Object.keys(found)).toEqual(faults);
  expect(found["type-error"]).toMatch(/\n900\nTypeError: Cannot read properties/); // the smallest number with the fault
  expect(found.rejection).toMatch(/\n900\nRangeError: Invalid array length/);
  expect(found.hang).toMatch(/\n9\d\d\ninput \d+: still being read after 5 s/);
  expect(found.buffers).toMatch(/\n900\nError: 16\d{6} bytes of buffers/);
  expect(found.allocation).toMatch(/\n9\d\d\ninput \d+: \d+ MB more than ten times its 100 bytes/);
  expect(found.objects).toMatch(/memory was exhausted|MB of objects|MB more than|still being read/); // whichever limit is reached first
});

test("inputs that are read or properly refused are no fault, and the same seed makes the same inputs", () => {
  const run = () => fuzz(...planted(["nothing"]), "--seed", "7", "--inputs", "500");
  const [first, second] = [run(), run()];
  expect(first.status).toBe(0);
  expect(first.stdout).toMatch(/\n1 passed, 0 failed\n$/);
  const [, read, refused] = /inputs, +(\d+) read, +(\d+) refused/.exec(first.stdout) ?? [];
  expect(Number(read)).toBeGreaterThan(100);
  expect(Number(refused)).toBeGreaterThan(100);
  expect(second.stdout.replace(/ +\d+ a second/, "")).toBe(first.stdout.replace(/ +\d+ a second/, ""));
});

test("unknown targets and numbers are refused", () => {
  expect(fuzz("--minutes", "0")).toMatchObject({ status: 3 });
  const { status, stderr } = fuzz("--only", "png", "--only", "tiff");
  expect(status).toBe(3);
  expect(stderr).toMatch(/there is no target "tiff"; the targets are safetensors, /);
});
