// npm run compare:flamingo-3b [-- …]: an OpenFlamingo of three billion parameters captions a picture, here and in PyTorch.
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { interpreter } from "../environments.mjs";
import { median, run } from "../full_size/processes.mjs";
import { ROOT, UsageError } from "../sources.mjs";

const HELP = `usage: npm run compare:flamingo-3b -- [options]

Captions one picture, twenty tokens, with a model of the size of openflamingo/OpenFlamingo-3B-vitl-mpt1b (MPT-1B, ViT-L/14, a gated layer
before each of the 24 layers) whose weights are random numbers in bfloat16: here on simd, and with open-flamingo 2.0.1 in float32
on two threads. The processes run in turn. Needs npm run build, 5.2 GB of disk and 12 GB of memory.

  --folder FOLDER  the files of the model, which are made if they are not there; default: ${join(tmpdir(), "flamboyance-flamingo-3b")}
  --tokens N       tokens of the caption; default 20
  --times N        runs of each; default 2
  --ours           leaves PyTorch out

Exit status: 0 within the limits (12 GiB of memory, twice the time of PyTorch), 1 beyond them, 2 it cannot be run, 3 a mistake in the command.`;

const OPTIONS = {
  folder: { type: "string" },
  tokens: { type: "string", default: "20" },
  times: { type: "string", default: "2" },
  ours: { type: "boolean" },
  help: { type: "boolean" },
};
/** Resident memory in GiB, and the time in multiples of PyTorch's. */
const LIMITS = { memory: 12, time: 2 };

const best = (runs, field) => Math.min(...runs.map((one) => one[field]));

/** A line for one run. */
function show(name, { opened, total, cpu, peak, threads }) {
  const time = `${total.toFixed(1)} s, ${cpu.toFixed(1)} s of processor time on ${threads} threads`;
  console.log(
    `${name.padEnd(10)} ${time}, opened in ${opened.toFixed(1)} s, at most ${peak.toFixed(2)} GiB resident`,
  );
}

/** Sentences on limits that are exceeded. */
function* beyond(ours, theirs) {
  const memory = Math.max(...ours.map(({ peak }) => peak));
  console.log(`resident memory here: at most ${memory.toFixed(2)} GiB of ${LIMITS.memory}`);
  if (memory > LIMITS.memory) yield "too much memory";
  if (theirs.length === 0) return;
  for (const field of ["total", "cpu"]) {
    const ratio = median(ours.map((one) => one[field])) / median(theirs.map((one) => one[field]));
    const what = field === "total" ? "time" : "processor time";
    console.log(
      `${what} here: ${ratio.toFixed(2)} × PyTorch's in float32 (medians of ${ours.length}); best ${best(ours, field).toFixed(1)} s and ${best(theirs, field).toFixed(1)} s`,
    );
    if (field === "total" && ratio > LIMITS.time) yield `more than ${LIMITS.time} × PyTorch's time`;
  }
  const same = ours[0].ids.filter((id, i) => id === theirs[0].ids[i]).length;
  console.log(`${same} of ${ours[0].ids.length} tokens are those of PyTorch`);
}

async function main() {
  const { values } = parseArgs({ options: OPTIONS });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const [tokens, times] = [Number(values.tokens), Number(values.times)];
  if (![tokens, times].every((n) => Number.isInteger(n) && n > 0))
    throw new UsageError("--tokens and --times take whole numbers from 1 up");
  const folder = resolve(values.folder ?? join(tmpdir(), "flamboyance-flamingo-3b"));
  const { make } = await import("./make.mjs");
  make(folder);
  const python = values.ours
    ? null
    : interpreter(join(ROOT, "golden/export/open_flamingo_checkpoints"), { reuse: true });
  const [ours, theirs] = [[], []];
  for (let i = 0; i < times; i++) {
    ours.push(
      run("ours.mjs", process.execPath, [join(import.meta.dirname, "ours.mjs"), folder, String(tokens)]),
    );
    show("here", ours.at(-1));
    if (python === null) continue;
    const words = ["-W", "ignore", "-m", "golden.export.flamingo_3b.reference", folder, String(tokens)];
    theirs.push(run("reference.py", python, words));
    show("PyTorch", theirs.at(-1));
  }
  const problems = [...beyond(ours, theirs)];
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
