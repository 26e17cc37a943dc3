// The fuzzer: gives damaged and made-up inputs to everything that reads files, prompts and options.
//   npm run fuzz -- [--minutes N] [--seed N] [--only TARGET]…      rounds of all targets for N minutes (default: 1)
//   npm run fuzz -- --only TARGET --seed N --inputs N              exactly one slice, as a failure names it
// An input must be read, or refused with an error of this package, within 5 seconds and a bounded memory. The last line counts targets.
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { build } from "vite";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const options = {
  minutes: { type: "string", default: "1" },
  seed: { type: "string", default: String(Date.now() % 1e6) },
  only: { type: "string", multiple: true },
  inputs: { type: "string" },
};
const { values } = parseArgs({ options });
const [minutes, seed] = [Number(values.minutes), Number(values.seed)];
const inputs = values.inputs === undefined ? null : Number(values.inputs);
if (!(minutes > 0) || !Number.isInteger(seed) || (inputs !== null && !(inputs > 0))) {
  console.error("--minutes and --inputs are numbers above 0, --seed is a whole number");
  process.exit(3);
}

const temporary = mkdtempSync(join(tmpdir(), "flamboyance-fuzz-"));
process.on("exit", () => rmSync(temporary, { recursive: true, force: true }));
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(130));

await build({
  configFile: false,
  root,
  logLevel: "warn",
  resolve: { conditions: ["source"] },
  ssr: { noExternal: true, resolve: { conditions: ["source"] } },
  build: {
    ssr: join(root, "spec/support/fuzz/worker.ts"),
    outDir: join(temporary, "bundle"),
    emptyOutDir: true,
    minify: false,
    rollupOptions: { output: { entryFileNames: "worker.mjs" } },
  },
});
mkdirSync(join(temporary, "files"));

let supervisor = null;
const supervisorScript = fileURLToPath(new URL("./supervisor.mjs", import.meta.url));

/** The next message of the supervisor; null if it ended without one, as it does when memory ends. */
const answer = () =>
  new Promise((resolve) => {
    const { pid } = supervisor;
    const done = (message) => {
      supervisor.removeAllListeners();
      resolve(message);
    };
    supervisor.once("message", done);
    supervisor.once("exit", () => done(null));
    if (pid === undefined) done(null);
  });

/** Starts a supervisor; resolves to the names of the targets. */
function start() {
  const words = [join(temporary, "bundle/worker.mjs"), join(temporary, "files")];
  supervisor = fork(supervisorScript, words, { cwd: root, stdio: ["ignore", "ignore", "ignore", "ipc"] });
  return answer();
}

async function asked(slice) {
  if (!supervisor.connected) await start();
  supervisor.send(slice);
  return (
    (await answer()) ?? { accepted: 0, refused: 0, failure: "the process ended; its memory was exhausted" }
  );
}

/** Runs a slice: { accepted, refused, failure }. The input that ended a worker is shown by another one. */
async function run(slice) {
  const result = await asked(slice);
  if (!result.lost) return result;
  if (supervisor.exitCode === null) await once(supervisor, "exit");
  const { failure } = await asked({ ...slice, show: result.lost });
  return { ...result, failure: `${failure}\n${result.failure}` };
}

const names = await start();
const unknown = (values.only ?? []).filter((name) => !names.includes(name));
if (unknown.length > 0) {
  console.error(`there is no target "${unknown[0]}"; the targets are ${names.join(", ")}`);
  process.exit(3);
}

/** Inputs of a slice, and the seconds that a slice should take. */
const [FIRST, SECONDS] = [50, 1];
const found = (values.only ?? names.filter((name) => !name.startsWith("planted-"))).map((name) => ({
  name,
  count: inputs ?? FIRST,
  accepted: 0,
  refused: 0,
  spent: 0,
  failure: null,
}));

async function slice(entry, seed) {
  const since = performance.now();
  const { name, count } = entry;
  const result = await run({ name, seed, count });
  const seconds = (performance.now() - since) / 1000;
  entry.accepted += result.accepted;
  entry.refused += result.refused;
  entry.spent += seconds;
  if (result.failure !== null) {
    entry.failure = result.failure;
    console.log(
      `\n${name}: npm run fuzz -- --only ${name} --seed ${seed} --inputs ${count}\n${result.failure}`,
    );
  }
  entry.count = Math.max(10, Math.min(4 * count, Math.ceil((count * SECONDS) / Math.max(seconds, 1e-3))));
}

if (inputs !== null) for (const entry of found) await slice(entry, seed);
else {
  const until = performance.now() + minutes * 60_000;
  for (let n = 0; performance.now() < until && found.some(({ failure }) => failure === null); n++)
    for (const entry of found)
      if (entry.failure === null && performance.now() < until) await slice(entry, seed + n);
}
supervisor.kill("SIGKILL");

console.log(`\nseed ${seed}`);
for (const { name, accepted, refused, spent, failure } of found) {
  const total = accepted + refused;
  const rate = Math.round(total / Math.max(spent, 1e-3));
  console.log(
    `${name.padEnd(16)} ${`${total}`.padStart(8)} inputs, ${`${accepted}`.padStart(8)} read, ${`${refused}`.padStart(8)} refused, ${`${rate}`.padStart(6)} a second${failure === null ? "" : "  FAILED"}`,
  );
}
const failed = found.filter(({ failure }) => failure !== null).length;
const sum = found.reduce((n, { accepted, refused }) => n + accepted + refused, 0);
console.log(`${sum} inputs in all\n${found.length - failed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
