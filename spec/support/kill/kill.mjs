// Kills commands that write files at random moments and checks what they leave.
//     npm run test:kill -- [--times N] [--seed N] [--only WORD]
// The last line is "N passed, N failed".
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { randomFrom } from "./processes.mjs";
import { prepare } from "./trials.mjs";

const { values } = parseArgs({
  options: {
    times: { type: "string", default: "20" },
    seed: { type: "string", default: "1" },
    only: { type: "string", default: "" },
  },
});
const [times, seed] = [Number(values.times), Number(values.seed)];
const folder = mkdtempSync(join(tmpdir(), "flamboyance-kill-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(1)); // removes the folder

const trials = (await prepare(folder, times >= 100)).filter(([name]) => name.includes(values.only));
const counts = new Map();
let [passed, failed, kills] = [0, 0, 0];
for (let i = 0; i < times; i++) {
  const [name, trial] = trials[i % trials.length];
  const work = join(folder, `trial-${i}`);
  mkdirSync(work);
  try {
    const killed = await trial(work, randomFrom(1000 * seed + i));
    kills += killed;
    passed++;
    counts.set(name, (counts.get(name) ?? 0) + killed);
  } catch (error) {
    failed++;
    console.log(`${name}, trial ${i} of seed ${seed}: ${error.stack}`);
  }
  rmSync(work, { recursive: true, force: true });
}
for (const [name, count] of counts) console.log(`${name}: killed ${count} times`);
console.log(`${kills} kills in ${times} trials\n\n${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
