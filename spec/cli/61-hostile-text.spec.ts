// No control character from a file's name, a title, an id, a tensor's name or a message reaches stdout or stderr, of 61-cli.md.
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { loadSafetensors } from "../../src/io/safetensors/read.ts";
import { saveSafetensors } from "../../src/io/safetensors/write.ts";
import { flamboyance } from "../support/fixtures/command.ts";
import { writeChainFolder } from "../support/fixtures/folders/chain-folder.ts";
import { temporary } from "../support/fixtures/temporary.ts";

/** A colour, a title, an erased screen, a bidirectional override, C1, DEL, a line separator, and what Markdown reads. */
const EVIL = "\u001b[31m\u001b]0;t\u0007\u202e\u009b2J\u007f\u2028|`*<b>";
const NORM = "golden/cases/flamingo-pytorch/palm-layer-norm--two-axes";
const workspace = temporary();
const at = (name: string) => join(workspace, name);
const case_ = at(`case${EVIL}`.replaceAll("/", ""));

/** Rewrites the strings of a case's manifest. */
function manifestWith(folder: string, change: (manifest: Record<string, unknown>) => void): void {
  cpSync(NORM, folder, { recursive: true });
  const path = join(folder, "case.json");
  const manifest = JSON.parse(readFileSync(path, "utf8"));
  change(manifest);
  writeFileSync(path, JSON.stringify(manifest));
}

/** A language model that is a table; an empty one generates byte 0. */
const chain = at(`model${EVIL}`.replaceAll("/", ""));

beforeAll(() => {
  mkdirSync(workspace, { recursive: true });
  writeChainFolder(chain, { chain: new Map() });
  cpSync(NORM, case_, { recursive: true });
  manifestWith(at("id"), (manifest) => {
    manifest.id = EVIL;
  });
  manifestWith(at("source"), (manifest) => {
    manifest.source = { package: EVIL, version: EVIL, class: EVIL };
  });
  manifestWith(at("key"), (manifest) => {
    manifest[EVIL] = EVIL;
  });
  const file = loadSafetensors(join(NORM, "expected.safetensors"));
  const tensors = new Map(file.keys.map((key) => [key, file.get(key)]));
  const more = new Map([...tensors, ...file.keys.map((key) => [`${key}${EVIL}`, file.get(key)] as const)]);
  cpSync(NORM, at("tensors"), { recursive: true });
  saveSafetensors(
    join(at(`actual${EVIL}`), "flamingo-pytorch/palm-layer-norm--two-axes/actual.safetensors"),
    more,
  );
  saveSafetensors(at("tensors/expected.safetensors"), more, { metadata: new Map([[EVIL, EVIL]]) });
  saveSafetensors(at("other.safetensors"), more, { metadata: new Map([["schema", EVIL]]) });
  writeFileSync(at(`ids${EVIL}`), `[1, "${EVIL.slice(-2)}"]`);
  writeFileSync(at("adapter.mjs"), `console.error(${JSON.stringify(EVIL)}); process.exit(1);`);
});

const train = ["train", "digits", "--quick", "--scale", "0.004", "--held-out", "6", "--backend", "reference"];
const documents = ["--json", "--junit", "--markdown"];
const runs: [string, () => string[]][] = [
  ["an unknown command", () => [EVIL]],
  ["an unknown option", () => ["check", `--${EVIL}`]],
  ["a value of an option", () => ["check", "--precision", EVIL]],
  ["a case's folder", () => ["check", case_]],
  ["a missing case", () => ["check", at(EVIL)]],
  ["a case's id", () => ["check", at("id")]],
  ["a case's source", () => ["check", at("source")]],
  ["a case's keys", () => ["check", at("key")]],
  ["tensors' names", () => ["check", at("tensors")]],
  ...documents.flatMap((kind): [string, () => string[]][] => [
    [`an id, ${kind}`, () => ["check", at("id"), kind]],
    [`a source, ${kind}`, () => ["check", at("source"), kind]],
    [`tensors' names, ${kind}`, () => ["check", at("tensors"), kind]],
    [`a folder, ${kind}`, () => ["conform", "--actual", at(`actual${EVIL}`), case_, kind]],
  ]),
  ["conform's folder", () => ["conform", "--actual", at(`actual${EVIL}`), case_]],
  ["a prompt", () => ["mask", `a <image> ${EVIL} b`]],
  ["a prompt, --json", () => ["mask", `a <image> ${EVIL} b`, "--json"]],
  ["a path", () => ["mask", `./${EVIL}.safetensors`]],
  ["a trace", () => ["mask", at("other.safetensors")]],
  ["a convention", () => ["mask", "a <image>", "--convention", EVIL]],
  ["a file of ids", () => ["mask", "--ids", at(`ids${EVIL}`), "--image-token", "3"]],
  ["an adapter's command", () => ["probe", "--", EVIL]],
  ["an adapter's message", () => ["probe", "--", process.execPath, at("adapter.mjs")]],
  ["a folder of results", () => [...train, "--out", at(`out${EVIL}`)]],
  ["a report", () => [...train, "--out", at("run"), "--report", at(`ids${EVIL}`)]],
  ["a picture", () => ["digits", "caption", at(`ids${EVIL}`)]],
  ["a model", () => ["digits", "caption", "0", "--model", at("other.safetensors")]],
  ["a folder of a language model", () => ["write", "--model", at(EVIL), "a"]],
  ["a prompt and a stop string", () => ["write", "--model", chain, EVIL, "b", "--stop", EVIL]],
  ["a prompt, --json, of write", () => ["write", "--model", chain, EVIL, "--json"]],
  ["a folder of an OpenFlamingo", () => ["caption", "a.png", "--model", at(EVIL)]],
  ["a demonstration of caption", () => ["caption", "a.png", "--model", at(EVIL), "--demo", EVIL]],
  [
    "a file of demonstrations",
    () => ["vqa", EVIL, "--model", chain, "--question", "q", "--demos", at(`ids${EVIL}`)],
  ],
  ["a picture of vqa", () => ["vqa", at(`ids${EVIL}`), "--model", chain, "--question", EVIL]],
  ["a part of bench", () => ["bench", "--only", EVIL]],
  ["an argument of inspect", () => ["inspect", EVIL]],
];

test.each(runs)("control characters are escaped: %s", (_, args) => {
  const { status, stdout, stderr } = flamboyance(...args());
  expect((stdout + stderr).replaceAll("\n", "")).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
  expect([0, 1, 2, 3]).toContain(status);
  expect(stdout.length + stderr.length).toBeGreaterThan(0);
  if (args().includes("--json")) JSON.parse(stdout);
});

test("Markdown shows text from outside as text", () => {
  const { stdout } = flamboyance("check", case_, at("source"), "--markdown");
  const rows = stdout.split("\n").filter((line) => /^\| /.test(line));
  expect(rows.length).toBeGreaterThan(1);
  for (const row of rows)
    expect(row.replaceAll(/\\./g, "").split("|")).toHaveLength(rows[0]?.split("|").length ?? 0);
  expect(stdout).not.toMatch(/(?<!\\)<b>/);
});
