// Runs commands one after another, shows their output and adds up the tests that they counted.
import { spawn } from "node:child_process";

export const total = { passed: 0, failed: 0 };

/** Runs a command for at most `minutes`. Resolves to its exit status and its standard output, which is shown if `show` is true. */
export function execute(minutes, [command, ...args], { show = false, env = process.env } = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"], detached: true, env });
    const end = () => {
      try {
        process.kill(-child.pid, "SIGKILL"); // with every process that it started
      } catch {} // it has ended already
    };
    const timer = setTimeout(end, minutes * 60_000);
    process.on("exit", end);
    let output = "";
    child.stdout.on("data", (text) => {
      output += text;
      if (show) process.stdout.write(text);
    });
    child.on("error", () => resolve({ status: 127, output }));
    child.on("close", (status) => {
      clearTimeout(timer);
      process.off("exit", end);
      resolve({ status: status ?? 1, output });
    });
  });
}

/** Runs one command and adds to the total. `count` reads { passed, failed } from its output; a command that crashes, or counts
    nothing, has failed once. */
export async function step(name, minutes, words, count, { show = true, env } = {}) {
  console.log(`\n==> ${name}: ${words.join(" ")}`);
  const since = Date.now();
  const { status, output } = await execute(minutes, words, { show, env });
  const counted = attempt(() => count(output, status)) ?? { passed: 0, failed: 0 };
  const crashed = counted.failed === 0 && (status !== 0 || counted.passed === 0);
  const { passed, failed } = crashed ? { ...counted, failed: 1 } : counted;
  total.passed += passed;
  total.failed += failed;
  const seconds = Math.round((Date.now() - since) / 1000);
  console.log(`<== ${name}: ${passed} passed, ${failed} failed (exit ${status}, ${seconds} s)`);
}

/** Counts a step that cannot run as failed. */
export function fail(name, reason) {
  total.failed += 1;
  console.log(`\n==> ${name}: ${reason}\n<== ${name}: 0 passed, 1 failed`);
}

function attempt(f) {
  try {
    return f();
  } catch (error) {
    console.log(`the output cannot be read: ${error}`);
    return undefined;
  }
}

/** Counts a command that only succeeds or fails. */
export const one = (_, status) => ({ passed: status === 0 ? 1 : 0, failed: status === 0 ? 0 : 1 });

/** Counts by the last line "N passed, N failed". */
export function lastLine(output) {
  const [, passed, failed] = [...output.matchAll(/^(\d+) passed, (\d+) failed$/gm)].at(-1);
  return { passed: Number(passed), failed: Number(failed) };
}
