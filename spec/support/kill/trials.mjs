// The commands that are killed, and the checks afterwards: every file is complete or absent, all are of one run, and a repeated or resumed
// command ends with the bytes of an unbroken one.
import assert from "node:assert/strict";
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { readDigits } from "../../../dist/demos/digits/data.js";
import { flamingoReader } from "../../../dist/demos/kosmos-digits/flamingo.js";
import { saveFlamingoDigits, saveKosmosDigits } from "../../../dist/demos/kosmos-digits/folder.js";
import { digitsKosmos } from "../../../dist/demos/kosmos-digits/kosmos.js";
import { digitClassifier } from "../../../dist/demos/smollm2-digits/vision.js";
import { loadSafetensors } from "../../../dist/entries/io.js";
import { initialize } from "../../../dist/nn/state-dict.js";
import { filesIn, run, runAndKill } from "./processes.mjs";

const isTemporary = (path) => /^\.flamboyance-.*\.tmp$/.test(basename(path));
const isOwn = (path) => !isTemporary(path);

/** Reads a file completely. Throws if a part of it is missing. */
function checkWhole(path) {
  if (path.endsWith(".safetensors")) {
    const file = loadSafetensors(path);
    for (const key of file.keys) {
      const value = file.get(key);
      if ("data" in value) value.data;
    }
    file.close();
    return;
  }
  if (path.endsWith(".png")) {
    assert.equal(readFileSync(path).subarray(-8, -4).toString("latin1"), "IEND");
    return;
  }
  const text = readFileSync(path, "utf8");
  if (path.endsWith(".json")) JSON.parse(text);
  else if (path.endsWith(".svg")) assert.match(text, /^<svg [\s\S]*<\/svg>\n$/);
  else if (path.endsWith("report.txt"))
    assert.match(text, /^Seed \d+, [\s\S]*(\n {2}\d+: \d+\.\d % .*|white does\s+not\s+move\.)\n$/);
  else if (path.endsWith(".md"))
    assert.match(
      text,
      /Plan `quick`, seed \d+[\s\S]*\n\| 1 \| \S+ \| \S+ \|\n|my text|^Seed \d+, [\s\S]*\n\| \S+ \| \S+ \| \S+ \| \S+ \|\n$/,
    );
}

export function checkAllWhole(folder) {
  for (const path of filesIn(folder).filter(isOwn)) checkWhole(join(folder, path));
}

/** The bytes of all files of a folder, without the times in a report, which may also move the ends of its lines. */
function contentOf(folder) {
  const read = (path) => {
    const text = readFileSync(join(folder, path), "latin1");
    if (path.endsWith("report.txt"))
      return text.replace(/\s+/g, " ").replace(/: \d+ seconds?, \d+ seconds? of processor time/, "");
    return path.endsWith(".md")
      ? text.replace(/[:,] \d+ seconds( of processor time)?|\| processor time .*/g, "")
      : text;
  };
  return new Map(filesIn(folder).map((path) => [path, read(path)]));
}

function expectSame(folder, expected) {
  const actual = contentOf(folder);
  assert.deepEqual([...actual.keys()], [...expected.keys()]); // no temporary file is left either
  for (const [path, bytes] of expected)
    assert.ok(actual.get(path) === bytes, `${path} has other bytes than unbroken`);
}

/** The seeds that the checkpoints and the report of a folder name. */
function seedsIn(folder) {
  return new Set(
    filesIn(folder).flatMap((path) => {
      const file = join(folder, path);
      if (path === "report.md") return [readFileSync(file, "utf8").match(/seed (\d+)/)?.[1]];
      if (!path.startsWith("checkpoint-")) return [];
      const opened = loadSafetensors(file);
      const seed = opened.metadata.get("run.seed");
      opened.close();
      return [seed];
    }),
  );
}

const succeeded = ({ status, stderr }) => assert.equal(status, 0, stderr);

/** An unbroken run: its arguments, the bytes it leaves, and its time. */
async function unbroken(args, folder) {
  const { ms, ...result } = await run(args);
  succeeded(result);
  checkAllWhole(folder);
  return { folder, content: contentOf(folder), ms };
}

const training = (scale, seed, out) => [
  "train",
  "digits",
  "--quick",
  "--held-out",
  "6",
  "--scale",
  String(scale),
  "--seed",
  String(seed),
  "--out",
  out,
];

/** A short training of a small Kosmos. */
const kosmosTraining = (out) => [
  ...["train", "kosmos-digits", "--steps", "3", "--vision-steps", "3", "--held-out", "10"],
  ...["--seed", "2", "--out", out],
];

/** A short training of a small Perceiver IO. */
const perceiverTraining = (task) => (out) => ["train", task, "--steps", "2", "--seed", "2", "--out", out];

/** A run that is killed up to three times and resumed ends like an unbroken one. */
function resumed(commandFor, { folder, content, ms }) {
  return async (work, random) => {
    const out = join(work, basename(folder));
    const args = commandFor(out);
    let kills = 0;
    for (const most = 1 + Math.floor(3 * random()); kills < most; kills++) {
      const { killed } = await runAndKill(kills === 0 ? args : [...args, "--resume"], out, ms, random);
      checkAllWhole(out);
      if (!killed) break;
    }
    succeeded(await run([...args, "--resume"]));
    expectSame(out, content);
    return kills;
  };
}

/** A run in the folder of another seed's results, killed at any time, never mixes with them. */
function inAnothersFolder(scale, other, { content, ms }) {
  return async (work, random) => {
    const out = join(work, "mixed");
    cpSync(other.folder, out, { recursive: true });
    const { killed } = await runAndKill(training(scale, 2, out), out, ms, random);
    checkAllWhole(out);
    assert.ok(seedsIn(out).size <= 1, `files of the seeds ${[...seedsIn(out)].join(" and ")}`);
    const again = await run([...training(scale, 2, out), "--resume"]);
    if (again.status === 2) {
      assert.match(again.stderr, /seed is "1" there and "2" here/); // killed before anything was removed
      succeeded(await run(training(scale, 2, out)));
    } else succeeded(again);
    expectSame(out, content);
    return Number(killed);
  };
}

/** --report leaves the old document or the new one, and the text around the marks. */
function reported(scale, { folder, ms }) {
  return async (work, random) => {
    const [out, document] = [join(work, basename(folder)), join(work, "document")];
    cpSync(folder, out, { recursive: true });
    const path = join(document, "document.md");
    const before = "my text\n<!-- evidence -->\nold\n<!-- end -->\nmy end\n";
    const args = [...training(scale, 2, out), "--resume", "--report", path];
    mkdirSync(document);
    writeFileSync(path, before);
    const { killed } = await runAndKill(args, work, ms, random);
    const after = readFileSync(path, "utf8");
    if (after !== before)
      assert.match(
        after,
        /^my text\n<!-- evidence -->\n\nPlan `quick`, seed 2[\s\S]* \|\n\n<!-- end -->\nmy end\n$/,
      );
    checkAllWhole(out);
    succeeded(await run(args));
    assert.deepEqual(filesIn(document), ["document.md"]);
    return Number(killed);
  };
}

/** A command that writes into one folder, repeated after a kill, leaves what an unbroken one leaves. */
function repeated(commandFor, { content, ms }) {
  return async (work, random) => {
    const out = join(work, "out");
    const { killed } = await runAndKill(commandFor(out), out, ms, random);
    checkAllWhole(out);
    succeeded(await run(commandFor(out)));
    expectSame(out, content);
    return Number(killed);
  };
}

const CASES = ["vit--mean", "vit--gradients", "extractor--mean"].map(
  (name) => `golden/cases/vit-pytorch/${name}`,
);
const checking = (out) => ["check", "--out", out, ...CASES];
const probing = (out) => [
  "probe",
  "--keep",
  out,
  "--",
  process.execPath,
  "spec/support/fixtures/plain-adapter.mjs",
];

/** Folders of models with random weights, and a command for each that evaluates it on pictures of digits. */
async function evaluations(at) {
  succeeded(await run(["digits", "write", "--out", at("digits"), "--count", "24"]));
  await saveKosmosDigits(
    at("kosmos"),
    initialize(digitsKosmos(digitClassifier(3).tower), 3),
    readDigits("golden/data/digits.safetensors").heldOut.slice(0, 1),
  );
  saveFlamingoDigits(at("palm"), flamingoReader(3).model, initialize(digitClassifier(4), 5));
  const models = [
    ["the digits' model", "golden/models/digits.safetensors", "words.jsonl"],
    ["a Kosmos", at("kosmos"), "questions.jsonl"],
    ["a FlamingoPaLM", at("palm"), "questions.jsonl"],
  ];
  return models.map(([name, model, file]) => [
    `evaluate ${name}`,
    (out) => [
      ...["evaluate", "--model", model, "--task", "vqa", "--data", join(at("digits"), file), "--shots", "1"],
      ...["--max-tokens", "4", "--backend", "reference", "--out", join(out, "results.jsonl")],
    ],
  ]);
}

/** The trials, each once with its unbroken run; `long` adds training that stops between two checkpoints of a phase. */
export async function prepare(folder, long) {
  const at = (name) => join(folder, name);
  const [short, longer] = [0.02, 0.52];
  const one = await unbroken(training(short, 1, at("one")), at("one"));
  const two = await unbroken(training(short, 2, at("two")), at("two"));
  const kosmos = await unbroken(kosmosTraining(at("trained")), at("trained"));
  const perceivers = [];
  for (const task of ["perceiver-digits", "perceiver-flow"]) {
    const commandFor = perceiverTraining(task);
    const whole = await unbroken(commandFor(at(task)), at(task));
    perceivers.push([`train ${task}, resumed`, resumed(commandFor, whole)]);
  }
  const again = resumed((out) => training(short, 2, out), two);
  const checked = await unbroken(checking(at("checked")), at("checked"));
  const probed = await unbroken(probing(at("probed")), at("probed"));
  const evaluated = [];
  for (const [name, commandFor] of await evaluations(at))
    evaluated.push([name, repeated(commandFor, await unbroken(commandFor(at(name)), at(name)))]);
  const trials = [
    ...evaluated,
    ["train, resumed", again],
    ["train in the folder of another run", inAnothersFolder(short, one, two)],
    ["train kosmos-digits, resumed", resumed(kosmosTraining, kosmos)],
    ...perceivers,
    ["check --out", repeated(checking, checked)],
    ["train, resumed", again],
    ["train --report", reported(short, two)],
    ["train in the folder of another run", inAnothersFolder(short, one, two)],
    ["probe --keep", repeated(probing, probed)],
    ["train, resumed", again],
  ];
  if (!long) return trials;
  const whole = await unbroken(training(longer, 2, at("whole")), at("whole"));
  const rare = ["train with several checkpoints, resumed", resumed((out) => training(longer, 2, out), whole)];
  return [...trials, ...trials, ...trials, rare];
}
