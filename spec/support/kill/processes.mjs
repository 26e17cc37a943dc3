// Runs commands of the built command line, to their end or until a random moment at which they are killed (SIGKILL).
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, watch } from "node:fs";
import { join, resolve } from "node:path";

const MAIN = resolve("dist/cli/main.js");

/** Random numbers from 0 to 1 (mulberry32, Tommy Ettinger), so that a seed repeats the choices; the moments depend on the machine. */
export function randomFrom(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

function start(args) {
  const since = performance.now();
  const child = spawn(process.execPath, [MAIN, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (text) => (stdout += text));
  child.stderr.on("data", (text) => (stderr += text));
  const kill = () => {
    try {
      process.kill(-child.pid, "SIGKILL"); // with the processes that it started
    } catch {} // it has ended already
  };
  process.on("exit", kill);
  const ended = new Promise((done) =>
    child.once("close", (status, signal) => {
      process.off("exit", kill);
      done({ status, killed: signal === "SIGKILL", stdout, stderr, ms: performance.now() - since });
    }),
  );
  return { kill, ended };
}

/** Runs a command to its end. Resolves to its status, output and milliseconds. */
export const run = (args) => start(args).ended;

/** Calls `act` once at the `count`-th change of a file in a folder or below. */
function atChange(folder, count, act) {
  let left = count;
  const watcher = watch(folder, { recursive: true }, () => {
    if (--left === 0) act();
  });
  watcher.on("error", () => {}); // the folder may be removed
  return () => watcher.close();
}

/**
 * Runs a command and kills it: half of the times at a moment of its usual time `ms`, half at one of the changes in `folder`, which
 * are the moments at which files are written. Resolves like `run`; `killed` is false if the command was faster.
 */
export async function runAndKill(args, folder, ms, random) {
  mkdirSync(folder, { recursive: true });
  const { kill, ended } = start(args);
  let stop = () => {};
  if (random() < 0.5) {
    const timer = setTimeout(kill, random() * ms);
    stop = () => clearTimeout(timer);
  } else {
    const delay = 3 * random();
    stop = atChange(folder, 1 + Math.floor(random() * 24), () => setTimeout(kill, delay));
  }
  const result = await ended;
  stop();
  await othersEnd(folder);
  return result;
}

/** Waits for processes that the killed one started and that work on in the folder, such as an adapter. Linux lists them in /proc. */
async function othersEnd(folder) {
  const isOther = (pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "latin1").includes(folder);
    } catch {
      return false; // it has ended, or is another user's
    }
  };
  const pids = () => (existsSync("/proc") ? readdirSync("/proc").filter((name) => /^\d+$/.test(name)) : []);
  while (pids().some(isOther)) await new Promise((resolve) => setTimeout(resolve, 50));
}

/** The files below a folder, as paths relative to it. */
export function filesIn(folder, below = "") {
  if (!existsSync(folder)) return [];
  return readdirSync(join(folder, below), { withFileTypes: true })
    .flatMap((entry) => {
      const path = join(below, entry.name);
      return entry.isDirectory() ? filesIn(folder, path) : [path];
    })
    .sort();
}
