// Closed pipes, full disks and hostile text on the streams of the command line, of 61-cli.md.
import { spawn, spawnSync } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { bytesOf, chainOf, writeChainFolder } from "../support/fixtures/folders/chain-folder.ts";
import { temporary } from "../support/fixtures/temporary.ts";

const MAIN = "dist/cli/main.js";
const NORM = "golden/cases/flamingo-pytorch/palm-layer-norm--two-axes";
const workspace = temporary();

beforeAll(() => {
  writeChainFolder(join(workspace, "model"), { chain: chainOf([bytesOf("xyx")]) });
  spawnSync(process.execPath, [
    MAIN,
    "check",
    NORM,
    "--precision",
    "float32",
    "--out",
    join(workspace, "actual"),
  ]);
});

/** Runs a command whose stdout is closed by its reader before anything is written to it. */
function withClosedPipe(args: readonly string[]): Promise<{ status: number | null; stderr: string }> {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  child.stdout.destroy();
  let stderr = "";
  child.stderr.on("data", (text) => (stderr += text));
  return new Promise((resolve) => child.once("close", (status) => resolve({ status, stderr })));
}

const train = ["train", "digits", "--quick", "--scale", "0.004", "--held-out", "6", "--backend", "reference"];
const commands: string[][] = [
  ["--help"],
  ["--version"],
  ["mask", "--help"],
  ["mask", "a <image> b"],
  ["mask", "a <image> b", "--json"],
  ["check", NORM],
  ["check", NORM, "--markdown"],
  ["conform", "--actual", join(workspace, "actual"), NORM],
  ["digits", "caption", "0"],
  ["bench", "--first"],
  ["write", "--model", join(workspace, "model"), "x", "--json"],
  ["caption", "--help"],
  [...train, "--out", join(workspace, "run")],
];

test.each(commands.map((args) => [args]))(
  "%j ends without a message when the reader of stdout closes the pipe",
  async (args) => {
    expect(await withClosedPipe(args)).toEqual({ status: 141, stderr: "" });
  },
);

test.each(commands.slice(0, 6).map((args) => [args]))("%j names a disk that is full", (args) => {
  const full = openSync("/dev/full", "w");
  const { status, stderr } = spawnSync(process.execPath, [MAIN, ...args], {
    stdio: ["ignore", full, "pipe"],
    encoding: "utf8",
  });
  closeSync(full);
  expect(stderr).toBe("flamboyance: cannot write to stdout: the disk is full; free some space\n");
  expect(status).toBe(2);
});

test("an error keeps its exit status where stderr cannot be written", () => {
  const full = openSync("/dev/full", "w");
  const run = (...args: string[]) =>
    spawnSync(process.execPath, [MAIN, ...args], { stdio: ["ignore", "pipe", full] }).status;
  expect([run("frobnicate"), run("check", join(workspace, "nothing"))]).toEqual([3, 2]);
  closeSync(full);
});

/** Ids of the children of a process, of which Linux keeps a list. */
const childrenOf = (pid: number | undefined): number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean).map(Number);
const isRunning = (pid: number): boolean =>
  existsSync(`/proc/${pid}`) && !/^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

test.each([
  ["SIGINT", 130],
  ["SIGTERM", 143],
  ["SIGHUP", 129],
] as const)("bench leaves no child when it alone gets %s", async (signal, status) => {
  const args = ["bench", "--only", "examples", "--backend", "reference"]; // its examples take minutes
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: "ignore" });
  const ended = new Promise((resolve) => child.once("exit", (status, by) => resolve(status ?? by)));
  let children: number[] = [];
  while (children.length === 0 && child.exitCode === null) {
    await pause(50);
    children = childrenOf(child.pid);
  }
  expect(children).toHaveLength(1);
  child.kill(signal);
  expect(await ended).toBe(status);
  for (let wait = 0; wait < 100 && children.some(isRunning); wait++) await pause(50);
  expect(children.filter(isRunning)).toEqual([]);
});
