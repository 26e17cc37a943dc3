// Adapters that try to outlast, exhaust or deceive `flamboyance probe`. Each must end in a sentence, soon, and with the documented status.
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { probe as command } from "../../../src/cli/commands/probe.ts";
import { PROBE } from "../../../src/cli/help/probe.ts";
import { UsageError } from "../../../src/cli/usage-error.ts";
import { LoadError } from "../../../src/tensor/errors.ts";
import { temporary } from "../../support/fixtures/temporary.ts";

const HOSTILE = "spec/support/fixtures/hostile-adapter.mjs";
const PLAIN = "spec/support/fixtures/plain-adapter.mjs";
const workspace = temporary();

/** Characters that a terminal would obey or hide, other than line breaks. */
const HIDDEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

async function failure(...args: string[]): Promise<Error> {
  const found = await command(args).catch((error) => error);
  expect(found).toBeInstanceOf(LoadError);
  for (const line of found.message.split("\n")) expect(line).not.toMatch(HIDDEN);
  return found;
}

describe("files of an adapter", () => {
  test.each([
    ["fifo adapter.json", /adapter\.json: it is not a file/],
    ["fifo outputs", /outputs\.safetensors: it is not a file/],
    ["link to a device", /adapter\.json: it is not a file/],
    ["outputs link to a device", /outputs\.safetensors: it is not a file/],
    ["folder adapter.json", /adapter\.json: it is not a file/],
    ["folder outputs", /outputs\.safetensors: it is not a file/],
    ["long adapter.json", /adapter\.json has 100014 bytes, more than the limit of 65536/],
    ["3 GB", /outputs\.safetensors has 30000000\d\d bytes, more than the limit/],
    ["large tensor", /"outputs\.out" has the shape \[42 8 60000\], which is larger than any output/],
    ["long header", /has a header of 20000\d\d bytes, more than the limit of 1000000/],
    ["endless header", /header of 4294967295 bytes/],
    ["partial file", /outputs\.safetensors/],
    ["integers", /"outputs\.out" holds no floats; write it as F32/],
    ["no rows", /"outputs\.out" has the shape \[0 8 4\], not \[42 8 d\]/],
    ["NaN", /every number of "outputs\.out" is 0 or not finite/],
  ])("[probe.bounded] %s: a sentence, and nothing large is read", async (defect, sentence) => {
    const before = process.memoryUsage().rss;
    const { message } = await failure("--timeout", "20", "--", process.execPath, HOSTILE, defect);
    expect(message).toMatch(sentence);
    expect(process.memoryUsage().rss - before).toBeLessThan(3e8);
  });

  test("[probe.protocol] an answer that an earlier command has left in the folder does not count", async () => {
    const kept = join(workspace, "kept");
    const spy = vi.spyOn(process.stdout, "write").mockReturnValue(true);
    const args = ["--dim", "8", "--keep", kept, "--", process.execPath];
    expect(await command([...args, PLAIN]).finally(() => spy.mockRestore())).toBe(0);
    expect(existsSync(join(kept, "full/out/outputs.safetensors"))).toBe(true);
    const { message } = await failure(...args, HOSTILE, "nothing");
    expect(message).toContain("wrote no outputs.safetensors");
  });

  test("[probe.protocol] files of other origin in the folder of --keep are not removed", async () => {
    const kept = join(workspace, "foreign");
    mkdirSync(join(kept, "full/out"), { recursive: true });
    writeFileSync(join(kept, "full/out/notes.md"), "mine");
    const { message } = await failure("--keep", kept, "--", process.execPath, PLAIN);
    expect(message).toContain("holds files that no probe has written");
    const empty = join(workspace, "interrupted"); // as a probe leaves it that was killed before it wrote a file
    mkdirSync(join(empty, "full/out"), { recursive: true });
    const spied = vi.spyOn(process.stdout, "write").mockReturnValue(true);
    expect(
      await command(["--dim", "8", "--keep", empty, "--", process.execPath, PLAIN]).finally(() =>
        spied.mockRestore(),
      ),
    ).toBe(0);
    expect(readFileSync(join(kept, "full/out/notes.md"), "utf8")).toBe("mine");
  });
});

describe("text of an adapter", () => {
  test("[probe.skipped] controls and bidirectional formatting in a reason are escaped", async () => {
    const { message } = await failure("--", process.execPath, HOSTILE, "escapes");
    expect(message).toContain("\\u{1b}[31mred \\u{202e}left \\u{85} \\u{9b}31m \\u{2028}next");
    const long = await failure("--", process.execPath, PLAIN, "skips at length");
    expect(long.message).toContain(`"full": ${"x".repeat(300)} `);
    expect(long.message.length).toBeLessThan(500);
  });

  test("[probe.adapter] controls in its output are escaped, and a flood is cut to its end", async () => {
    const { message } = await failure("--", process.execPath, HOSTILE, "escapes on stderr");
    expect(message).toContain("\\u{1b}]0;title\\u{7} \\u{202e}left \\u{9b}31m");
    const flood = await failure("--", process.execPath, HOSTILE, "flood");
    expect(flood.message.length).toBeLessThan(4500);
  });
});

const alive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

/** Starts the built command with an adapter that writes its process id into a file, in a temporary folder of its own. */
function started(name: string, defect: string) {
  const own = join(workspace, name);
  mkdirSync(own);
  const file = join(workspace, `${name}.pids`);
  const env = { ...process.env, TMPDIR: own, TEMP: own, TMP: own, STARTED: file };
  const child = spawn(
    process.execPath,
    ["dist/cli/main.js", "probe", "--", process.execPath, HOSTILE, defect],
    { env },
  );
  let text = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (more) => (text += more));
  const ended = new Promise<number | null>((resolve) => child.on("exit", resolve));
  // the file is empty for a moment after it has been created
  const pids = () =>
    existsSync(file) ? readFileSync(file, "utf8").split("\n").filter(Boolean).map(Number) : [];
  return { child, own, ended, pids, text: () => text };
}

describe("processes of an adapter", () => {
  test.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ] as const)(
    "[probe.adapter] [io.process] %s ends the adapter, removes the folder, and has status %i",
    async (signal, status) => {
      const { child, own, ended, pids } = started(signal, "sleep");
      await vi.waitFor(() => expect(pids().length).toBeGreaterThan(0), 20_000);
      expect(readdirSync(own).length).toBe(1);
      child.kill(signal);
      expect(await ended).toBe(status);
      await vi.waitFor(() => expect(pids().map(alive)).toEqual([false]), 5000);
      expect(readdirSync(own)).toEqual([]);
    },
    30_000,
  );

  test("[io.process] a daemon that holds the output open does not keep the probe", async () => {
    const from = performance.now();
    const { ended, pids, text } = started("daemon", "daemon");
    expect(await ended).toBe(2);
    expect(performance.now() - from).toBeLessThan(25_000);
    expect(text()).toContain("a daemon is running");
    for (const pid of pids()) if (alive(pid)) process.kill(pid, "SIGKILL");
  }, 40_000);
});

describe("sizes", () => {
  test.each([
    // 42 rows of 8 · 65536 and 3 · 1024 · 65536 numbers of 4 bytes
    [
      ["--dim", "65536", "--latents", "1024"],
      /--dim 65536, --media-dim 65536 and --latents 1024 need 32340 MiB of inputs in one call, more than the limit of 256 MiB/,
    ],
    [["--media-dim", "65536", "--latents", "1024"], /need \d+ MiB of inputs/],
    [["--dim", "NaN"], /--dim is a whole number from 1 to 65536, not "NaN"/],
    [["--dim", "0"], /--dim/],
    [["--dim", "2.5"], /--dim/],
    [["--media-dim", "0"], /--media-dim/],
    [["--media-dim", "1e3"], /--media-dim/],
    [["--latents", "NaN"], /--latents/],
    [["--latents", "0"], /--latents/],
    [["--latents", "2.5"], /--latents/],
    [["--timeout", "0"], /--timeout/],
    [["--timeout", "0.5"], /--timeout/],
  ])("[probe.usage] %j is refused before anything is made", async (args, sentence) => {
    const found = await command([...args, "--", "never-run"]).catch((error) => error);
    expect(found).toBeInstanceOf(UsageError);
    expect(found.message).toMatch(sentence);
  });

  test("[probe.exit] the help documents the statuses and the number of runs", () => {
    expect(PROBE).toMatch(/run nine times/);
    for (const status of [0, 1, 2, 3]) expect(PROBE).toMatch(new RegExp(`\n  ${status}  `));
  });
});
