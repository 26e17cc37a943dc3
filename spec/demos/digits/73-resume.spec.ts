// The executable half of [digits.perceiver-resume] in 73-digits.md: runs that stop, and those that continue from their checkpoint.
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { readDigits } from "../../../src/demos/digits/data.ts";
import { perceiverFlow } from "../../../src/demos/digits/flow/model.ts";
import { trainFlow } from "../../../src/demos/digits/flow/training.ts";
import { perceiverDigits } from "../../../src/demos/digits/perceiver/model.ts";
import { canResume, type PerceiverRun, removeCheckpoint } from "../../../src/demos/digits/perceiver/run.ts";
import { trainPerceiver } from "../../../src/demos/digits/perceiver/training.ts";
import { loadSafetensors } from "../../../src/io/safetensors/read.ts";
import { reference } from "../../../src/kernels/reference/index.ts";
import { simd } from "../../../src/kernels/simd/index.ts";
import { stateDict } from "../../../src/nn/state-dict.ts";
import { flat } from "../../../src/tensor/tensor.ts";
import { flamboyance } from "../../support/fixtures/command.ts";
import { temporary } from "../../support/fixtures/temporary.ts";

const { train: pictures } = readDigits("golden/data/digits.safetensors");
const workspace = temporary();
const backend = await simd();
afterAll(() => backend.close());

const TASKS = {
  "perceiver-digits": { model: perceiverDigits, train: trainPerceiver },
  "perceiver-flow": { model: perceiverFlow, train: trainFlow },
} as const;
type TaskName = keyof typeof TASKS;
const NAMES = ["perceiver-digits", "perceiver-flow"] as const;

const runOf = (name: TaskName, checkpoints: string): PerceiverRun => ({
  model: TASKS[name].model(1),
  train: pictures,
  steps: 5,
  seed: 1,
  backend,
  checkpoints: join(workspace, `${name}-${checkpoints}-`),
  checkpointEvery: 2,
});

/** The weights after a run or the step `stopAt`, as text exact to the last bit, and the steps and losses that were seen. */
async function trained(name: TaskName, run: PerceiverRun, stopAt = Number.POSITIVE_INFINITY) {
  const seen: [number, number][] = [];
  for await (const { step, loss } of TASKS[name].train(run)) {
    seen.push([step, loss]);
    if (step === stopAt) break;
  }
  const weights = [...stateDict(run.model)].map(([key, t]) => `${key} ${[...flat(t.data)].join(" ")}`);
  return { weights, seen };
}

const unbroken = new Map<TaskName, ReturnType<typeof trained>>();

test.each([
  ["perceiver-digits", 1, 0],
  ["perceiver-digits", 2, 2],
  ["perceiver-digits", 3, 2],
  ["perceiver-digits", 5, 5],
  ["perceiver-flow", 3, 2],
] as const)(
  "[digits.perceiver-resume] %s that stopped behind step %i continues behind step %i and ends with the same bits",
  async (name, stopAt, from) => {
    const whole = unbroken.get(name) ?? trained(name, runOf(name, "whole"));
    unbroken.set(name, whole);
    const run = runOf(name, `stopped-${stopAt}`);
    await trained(name, run, stopAt);
    expect(canResume({ ...run, resume: true })).toBe(from > 0);
    const resumed = await trained(name, { ...run, model: TASKS[name].model(1), resume: true });
    expect(resumed.weights).toEqual((await whole).weights);
    expect(resumed.seen).toEqual((await whole).seen.slice(from));
  },
);

describe.each(NAMES)("%s", (name) => {
  test("[digits.perceiver-resume] a checkpoint of another seed, length, backend, task or other data is refused", async () => {
    const run = runOf(name, "first");
    await trained(name, run, 2);
    const again = (more: Partial<PerceiverRun>) => trained(name, { ...run, resume: true, ...more });
    await expect(again({ seed: 2 })).rejects.toThrow(/seed is "1" there and "2" here/);
    await expect(again({ steps: 6 })).rejects.toThrow(/training steps is "5" there and "6" here/);
    await expect(again({ train: pictures.slice(1) })).rejects.toThrow(/data is "\w+" there/);
    await expect(again({ backend: reference() })).rejects.toThrow(
      /backend is "simd[^"]*" there and "reference float64" here/,
    );
    const [other] = NAMES.filter((one) => one !== name);
    await expect(
      trained(other ?? name, { ...runOf(other ?? name, ""), ...run, resume: true }),
    ).rejects.toThrow(`task is "${name}" there and "${other}" here`);
  });

  test("[digits.perceiver-resume] without `resume` a run begins at the first step, and removing its checkpoint leaves nothing", async () => {
    const run = runOf(name, "anew");
    await trained(name, run, 2);
    expect([canResume(run), canResume({ ...run, resume: true })]).toEqual([false, true]);
    expect((await trained(name, { ...run, model: TASKS[name].model(1) }, 1)).seen[0]?.[0]).toBe(1);
    removeCheckpoint(run);
    expect(canResume({ ...run, resume: true })).toBe(false);
    expect(readdirSync(workspace).filter((file) => file.startsWith(`${name}-anew-`))).toEqual([]);
  });
});

/** Starts a command, kills it as soon as `isTime`, and returns how it ended. */
async function killed(args: readonly string[], signal: NodeJS.Signals, isTime: () => boolean) {
  const child = spawn(process.execPath, ["dist/cli/main.js", "train", ...args], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let stderr = "";
  child.stderr.on("data", (more) => (stderr += more));
  const ended = new Promise<string | number | null>((done) =>
    child.once("close", (status, by) => done(by ?? status)),
  );
  const watching = setInterval(() => {
    if (!isTime()) return;
    clearInterval(watching); // a second Ctrl-C would end the process without its handler
    child.kill(signal);
  }, 2);
  const how = await ended;
  clearInterval(watching);
  return { how, stderr };
}

/** The names and bytes of a folder's files, without the times in the report. */
const filesOf = (folder: string): [string, string][] =>
  readdirSync(folder)
    .sort()
    .map((name) => {
      const text = readFileSync(join(folder, name), "latin1");
      const withoutTimes = () => text.replaceAll(/\s+/g, " ").replace(/: \d+ seconds?, \d+ seconds? of/, "");
      return [name, name === "report.txt" ? withoutTimes() : text];
    });

/** A document of --json without its times. */
const withoutTimes = (json: string) => ({ ...JSON.parse(json), seconds: null, processorSeconds: null });

test("[digits.perceiver-resume] a command that was killed between two checkpoints goes on with --resume, and another run is refused", async () => {
  const [whole, broken] = [join(workspace, "whole"), join(workspace, "broken")];
  const args = ["perceiver-digits", "--steps", "60", "--json"];
  const checkpoint = join(broken, "checkpoint-training.safetensors");
  const unbroken = flamboyance("train", ...args, "--out", whole, "--resume");
  expect([unbroken.status, unbroken.stderr]).toEqual([
    0,
    `flamboyance: there is no checkpoint in ${whole}; training begins at the first step\n`,
  ]);
  expect(filesOf(whole).map(([name]) => name)).toEqual([
    "checkpoint-training.safetensors",
    "model.safetensors",
    "report.txt",
  ]);

  const { how } = await killed([...args, "--out", broken], "SIGKILL", () => existsSync(checkpoint));
  expect(how).toBe("SIGKILL");
  const stored = loadSafetensors(checkpoint);
  expect([...stored.int("step").flat()]).toEqual([50]);
  stored.close();
  expect(existsSync(join(broken, "model.safetensors"))).toBe(false);

  const other = flamboyance("train", ...args, "--seed", "2", "--out", broken, "--resume");
  expect(other.status).toBe(2);
  expect(other.stderr.replaceAll(/\s+/g, " ")).toContain(
    'is a checkpoint of another run: seed is "1" there and "2" here; resume with the options of that run, choose another folder with --out, or start anew without --resume',
  );
  const rest = flamboyance("train", ...args, "--out", broken, "--resume");
  expect([rest.status, rest.stderr]).toEqual([0, ""]);
  expect(withoutTimes(rest.stdout)).toEqual(withoutTimes(unbroken.stdout));
  expect(filesOf(broken)).toEqual(filesOf(whole));
});

test("[digits.perceiver-resume] without --resume the results of an earlier run are removed first, and Ctrl-C names --resume", async () => {
  const out = join(workspace, "earlier");
  const names = ["checkpoint-training.safetensors", "flow.png", "model.safetensors", "report.txt"];
  mkdirSync(out);
  for (const name of [...names, "own.txt"]) writeFileSync(join(out, name), "earlier");
  const isRemoved = () => !names.some((name) => existsSync(join(out, name)));
  const stopped = await killed(["perceiver-flow", "--out", out], "SIGINT", isRemoved);
  expect(stopped).toEqual({ how: 130, stderr: `flamboyance: stopped; --resume continues from ${out}\n` });
  expect(readdirSync(out)).toEqual(["own.txt"]);
});

test("[digits.perceiver-resume] perceiver-flow that was killed behind its last step ends with the same files", async () => {
  const [whole, broken] = [join(workspace, "flow-whole"), join(workspace, "flow-broken")];
  const args = ["perceiver-flow", "--steps", "1"];
  expect(flamboyance("train", ...args, "--out", whole).status).toBe(0);
  const checkpoint = join(broken, "checkpoint-training.safetensors");
  const { how } = await killed([...args, "--out", broken], "SIGKILL", () => existsSync(checkpoint));
  expect(how).toBe("SIGKILL");
  expect(existsSync(join(broken, "report.txt"))).toBe(false);
  const rest = flamboyance("train", ...args, "--out", broken, "--resume");
  expect([rest.status, rest.stderr]).toEqual([0, ""]);
  expect(rest.stdout).not.toMatch(/loss/); // no step was left
  expect(filesOf(broken)).toEqual(filesOf(whole));
  expect(filesOf(whole).map(([name]) => name)).toContain("flow.png");
});
