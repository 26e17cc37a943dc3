// Child processes of 34-host.md.
import { spawn } from "node:child_process";
import { existsSync, readFileSync, statSync } from "node:fs";
import { describe, expect, test, vi } from "vitest";
import * as browser from "../../src/host/browser.ts";
import { runProcess } from "../../src/host/process.ts";
import { LoadError } from "../../src/tensor/errors.ts";
import { folders } from "../support/fixtures/temporary.ts";

const fresh = folders();
const node = (script: string) => [process.execPath, "-e", script];

/** A script that starts another process, which appends to a file until it is terminated, and waits for the file's first byte. */
const startsAnother = (file: string, then: string) => {
  const grows = `setInterval(() => require("node:fs").appendFileSync(${JSON.stringify(file)}, "x"), 20)`;
  return `
    const { spawn } = require("node:child_process");
    const child = spawn(process.execPath, ["-e", ${JSON.stringify(grows)}], { stdio: "inherit" });
    const waiting = setInterval(() => {
      if (!require("node:fs").existsSync(${JSON.stringify(file)})) return;
      clearInterval(waiting);
      ${then}
    }, 20);`;
};

const sizeOf = (file: string): number => (existsSync(file) ? statSync(file).size : 0);

/** Whether a file still grows. */
async function grows(file: string): Promise<boolean> {
  const before = sizeOf(file);
  await new Promise((resume) => setTimeout(resume, 500));
  return sizeOf(file) > before;
}

const listeners = () => process.listenerCount("exit") + process.listenerCount("SIGTERM");
const atStart = listeners();

describe("runProcess", () => {
  test("[io.process] status and output are returned, both streams apart and together", async () => {
    const result = await runProcess(node('console.log("out ü"); console.error("err"); process.exitCode = 3'));
    expect(result).toMatchObject({
      status: 3,
      signal: null,
      timedOut: false,
      stdout: "out ü\n",
      stderr: "err\n",
    });
    expect(result.output.split("\n").sort()).toEqual(["", "err", "out ü"]);
    expect(result.secondsToOutput).toBeGreaterThan(0);
    expect((await runProcess(node(""))).secondsToOutput).toBeNull();
    expect(await runProcess(node('process.kill(process.pid, "SIGKILL")'))).toMatchObject({
      status: null,
      signal: "SIGKILL",
    });
  });

  test("[io.process] the last characters of the output are kept, and no more", async () => {
    const script =
      'process.stdout.write("a".repeat(300000) + "the end"); process.stderr.write("b".repeat(300000))';
    const { stdout, stderr, output } = await runProcess(node(script), { keep: 100 });
    expect([stdout.length, stderr.length, output.length]).toEqual([100, 100, 100]);
    expect(stdout.endsWith("athe end")).toBe(true);
  });

  test("[io.process] after its time limit a child is terminated, with all processes that it started", async () => {
    const file = fresh();
    const result = await runProcess(node(startsAnother(file, 'console.log("on");')), {
      seconds: 4,
    });
    expect(result).toMatchObject({ timedOut: true, stdout: "on\n" });
    expect([sizeOf(file) > 0, await grows(file)]).toEqual([true, false]);
    expect(listeners()).toBe(atStart);
  });

  test("[io.process] processes that a child left running are terminated, even if they hold its output open", async () => {
    const file = fresh();
    const result = await runProcess(node(startsAnother(file, "process.exit(0);")), { seconds: 60 });
    expect(result).toMatchObject({ status: 0, timedOut: false });
    expect([sizeOf(file) > 0, await grows(file)]).toEqual([true, false]);
  });

  test.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ] as const)(
    "[io.process] %s ends a child with this process, whose status is %i",
    async (signal, status) => {
      const file = fresh();
      const script = `import("./dist/host/process.js").then(({ runProcess }) => runProcess(${JSON.stringify(
        node(startsAnother(file, "")),
      )}))`;
      const parent = spawn(process.execPath, ["-e", script], { stdio: "inherit" });
      const ended = new Promise((resolve) => parent.on("exit", (status) => resolve(status)));
      await vi.waitFor(() => expect(sizeOf(file)).toBeGreaterThan(0), 20_000);
      parent.kill(signal);
      expect(await ended).toBe(status);
      expect(await grows(file)).toBe(false);
    },
    30_000,
  );

  test("[io.process] a process in a session of its own that holds the output open does not delay the result", async () => {
    const file = fresh();
    const leaves = `
      const { spawn } = require("node:child_process");
      const waits = ["-e", "require('node:fs').writeFileSync(" + ${JSON.stringify(JSON.stringify(file))} + ", String(process.pid)); setTimeout(() => {}, 30000)"];
      spawn(process.execPath, waits, { stdio: "inherit", detached: true }).unref();
      console.log("done");`;
    const started = performance.now();
    const result = await runProcess(node(leaves), { seconds: 25 });
    expect(result).toMatchObject({ status: 0, timedOut: false, stdout: "done\n" });
    expect(performance.now() - started).toBeLessThan(15_000);
    await vi.waitFor(() => expect(sizeOf(file)).toBeGreaterThan(0), 20_000);
    process.kill(Number(readFileSync(file, "utf8")), "SIGKILL");
  }, 30_000);

  test("[io.process] a command that cannot be started is refused", async () => {
    await expect(runProcess(["no-such-command-anywhere"])).rejects.toThrow(LoadError);
    await expect(runProcess(["no-such-command-anywhere"])).rejects.toThrow(
      /cannot run no-such-command-anywhere/,
    );
    await expect(browser.runProcess(["node"])).rejects.toThrow(/a page starts no processes/);
    expect(listeners()).toBe(atStart);
  });
});
