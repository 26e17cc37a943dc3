// npm run compare:kosmos [-- …]: a Kosmos of full size reads an image and a text, here and in PyTorch.
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { interpreter } from "../environments.mjs";
import { median, run } from "../full_size/processes.mjs";
import { ROOT, UsageError } from "../sources.mjs";

const HELP = `usage: npm run compare:kosmos -- [options]

One forward pass of a Kosmos of 1.67 billion parameters over the 64 vectors of an image and 50 tokens, and ten more tokens with a cache. The
weights are random numbers: here in float32 and in bfloat16 on simd, and with kosmosx 0.3.1 on torchscale 0.3.0 in float32, on two threads each. The
processes run in turn. Needs npm run build, 11 GB of disk and 9 GB of memory.

  --folder FOLDER  the files of the model, which are made if they are not there; default: ${join(tmpdir(), "flamboyance-kosmos")}
  --times N        processes of each; default 1
  --passes N       forward passes that count in each process, after one that does not; default 3
  --ours           leaves PyTorch out
  --round-trip S   instead: state dicts go to PyTorch and back, multiway and not. S is small, or all, which has the full size too (9 GB of disk)

Exit status: 0 within the limits (9 GiB of memory in float32, 5.5 in bfloat16, three times the time of PyTorch, logits within 1e-4 of their size),
1 beyond them, 2 it cannot be run, 3 a mistake in the command.`;

const OPTIONS = {
  folder: { type: "string" },
  times: { type: "string", default: "1" },
  passes: { type: "string", default: "3" },
  ours: { type: "boolean" },
  "round-trip": { type: "string" },
  help: { type: "boolean" },
};
/** Resident memory in GiB, the time in multiples of PyTorch's, and the largest difference relative to the root mean square. */
const LIMITS = { float32: 9, bfloat16: 5.5, time: 3, difference: 1e-4 };
const MODULE = "golden.export.kosmos_full";

const pass = (runs, field) => median(runs.flatMap(({ passes }) => passes.map((one) => one[field])));

/** A line for one process. */
function show(name, { opened, first, passes, text, peak }) {
  const of = ({ seconds, cpu }) => `${seconds.toFixed(1)} s (processor ${cpu.toFixed(1)} s)`;
  const counted = { seconds: median(passes.map((p) => p.seconds)), cpu: median(passes.map((p) => p.cpu)) };
  console.log(
    `${name}: opened in ${of(opened)}; first pass ${of(first)}, then ${of(counted)}; ten tokens with what is before them ${of(text)}, \
${text.each.toFixed(2)} s a token; at most ${peak.toFixed(2)} GiB resident`,
  );
}

/** The largest difference of the logits relative to their root mean square, and how many most probable ids are equal. */
function agreement(ours, theirs) {
  const differences = ours.numbers.map((x, i) => Math.abs(x - theirs.numbers[i]));
  const same = (a, b) => a.filter((id, i) => id === b[i]).length;
  return { largest: Math.max(...differences) / theirs.rms, equal: same(ours.best, theirs.best) };
}

/** Sentences on limits that are exceeded. */
function* beyond(precision, ours, theirs) {
  const peak = Math.max(...ours.map((one) => one.peak));
  console.log(`${precision}: at most ${peak.toFixed(2)} GiB of ${LIMITS[precision]} resident`);
  if (peak > LIMITS[precision]) yield `${precision}: too much memory`;
  if (theirs.length === 0) return;
  for (const field of ["seconds", "cpu"]) {
    const ratio = pass(ours, field) / pass(theirs, field);
    const name = field === "cpu" ? "processor time" : "time";
    console.log(`${precision}: ${name} of a pass ${ratio.toFixed(2)} × PyTorch's in float32 (medians)`);
    if (field === "seconds" && !(ratio <= LIMITS.time))
      yield `${precision}: more than ${LIMITS.time} × PyTorch's time`;
  }
  const { largest, equal } = agreement(ours[0].logits, theirs[0].logits);
  const [positions, tokens] = [theirs[0].logits.best.length, theirs[0].text.ids];
  const continued = ours[0].text.ids.filter((id, i) => id === tokens[i]).length;
  console.log(
    `${precision}: logits differ by at most ${largest.toExponential(1)} of their root mean square; the most probable id is the same at ${equal} of \
${positions} positions, and ${continued} of ${tokens.length} tokens that are written`,
  );
  if (!(largest <= LIMITS.difference)) yield `${precision}: the logits differ`;
}

async function compared(folder, { times, passes, ours: alone }) {
  const { make, IDS } = await import("./make.mjs");
  make(folder);
  const python = alone ? null : interpreter(join(ROOT, "golden/export/kosmosx"), { reuse: true });
  const runs = { float32: [], bfloat16: [], PyTorch: [] };
  for (let i = 0; i < times; i++)
    for (const name of Object.keys(runs)) {
      if (name === "PyTorch" && python === null) continue;
      const [command, ...words] =
        name === "PyTorch"
          ? [python, "-W", "ignore", "-m", `${MODULE}.reference`, folder, passes, IDS.join()]
          : [process.execPath, join(import.meta.dirname, "ours.mjs"), folder, name, passes];
      runs[name].push(run(name, command, words.map(String)));
      show(name, runs[name].at(-1));
    }
  return ["float32", "bfloat16"].flatMap((precision) => [
    ...beyond(precision, runs[precision], runs.PyTorch),
  ]);
}

async function main() {
  const { values } = parseArgs({ options: OPTIONS });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const [times, passes] = [Number(values.times), Number(values.passes)];
  if (![times, passes].every((n) => Number.isInteger(n) && n > 0))
    throw new UsageError("--times and --passes take whole numbers from 1 up");
  if (![undefined, "small", "all"].includes(values["round-trip"]))
    throw new UsageError("--round-trip is small or all");
  const folder = resolve(values.folder ?? join(tmpdir(), "flamboyance-kosmos"));
  const { roundTrips } = await import("./round-trip.mjs");
  const problems = values["round-trip"]
    ? roundTrips(values["round-trip"])
    : await compared(folder, { times, passes, ours: values.ours });
  for (const problem of problems) console.log(`FAILED: ${problem}`);
  return problems.length === 0 ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error.message);
  const isUsage = error instanceof UsageError || error.code?.startsWith("ERR_PARSE_ARGS");
  process.exitCode = isUsage ? 3 : 2;
}
