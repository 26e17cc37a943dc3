// The page of results: times, ratios and limits of each backend on a language model.
import { duration } from "../../../dist/bench/tables.js";
import { median } from "../../../dist/bench/timing.js";
import { markdownTable, markdownText } from "../../../dist/terminal/markdown.js";

/** The largest difference between the ratios of two rounds, relative to their median, at which a ratio is shown without a mark. */
const STEADY = 0.1;

const HEAD = `# Language models on each backend

This page is written by \`node run.mjs\` in this folder; do not edit it.

A language model from a folder reads a text in one pass (prefill), then decodes greedily, one token a step, with the keys and values of
earlier tokens in a cache. All backends run in one process and take turns: each round measures all of them, and the next round begins with
another one. A time is the median of the rounds. A ratio is the median of the ratios of the rounds, each to \`simd\` on all cores in the same
round, so that what slows down a whole round does not change it. Behind it is the spread: the difference between the largest and the
smallest ratio of a round, relative to the median. "processor" is the ratio of processor times, of all threads together.

The least times that the machine allows are measured in each round too. For prefill it is the time of the products with the weights,
without attention, at the peak of the backend's threads (fused multiply-adds in WebAssembly). For decoding it is the time in which the
backend's threads read the weights, in the precision of the file, and the cache once. Before anything is measured, all backends continue a
prompt with the same token.

\`\`\`sh
npm run build && npm run fetch:smollm2
npm run bench:language-models
\`\`\`

[Benchmarks](../README.md) compares \`simd\` with PyTorch.
`;

const onThreads = ({ name, threads }) => `${name}, ${threads} ${threads === 1 ? "thread" : "threads"}`;
const ratio = (x) => `${x < 10 ? x.toFixed(2) : x.toFixed(0)} ×`;
const percent = (x) => `${Math.round(100 * x)} %`;

/** The median of ratios and how far they lie apart. */
function ratioOf(ratios) {
  const middle = median(ratios);
  const spread = (Math.max(...ratios) - Math.min(...ratios)) / middle;
  return { middle, spread, steady: spread <= STEADY };
}

const shownRatio = ({ middle, spread, steady }) =>
  `${steady ? "" : "≈ "}${ratio(middle)} (${percent(spread)})`;

/** The rows of one part of the work: `keys` are those of wall-clock and processor times, `least` is the limit of a round in seconds. */
function part({ backends, rounds }, [seconds, processorSeconds], least) {
  const base = backends.length - 1;
  const columns = backends.map((backend, i) => {
    const relative = (key) => ratioOf(rounds.map(({ times }) => times[i][key] / times[base][key]));
    const limit = median(rounds.map(({ machine }) => least(machine, backend)));
    const toLimit = ratioOf(rounds.map(({ machine, times }) => times[i][seconds] / least(machine, backend)));
    const time = median(rounds.map(({ times }) => times[i][seconds]));
    const [wall, processor] = [relative(seconds), relative(processorSeconds)];
    return { backend, time, wall, processor, limit, toLimit, isBase: i === base };
  });
  const rows = columns.map(({ backend, time, wall, processor, limit, toLimit, isBase }) => [
    onThreads(backend),
    duration(time),
    isBase ? "1 ×" : shownRatio(wall),
    isBase ? "1 ×" : shownRatio(processor),
    duration(limit),
    shownRatio(toLimit),
  ]);
  const ratios = columns.flatMap(({ isBase, wall, processor, toLimit }) =>
    isBase ? [toLimit] : [wall, processor, toLimit],
  );
  return { rows, unstable: ratios.filter(({ steady }) => !steady).length };
}

/** The text of README.md and the number of ratios that vary by more than a tenth; `results` is null where nothing was measured. */
export function page(results) {
  if (results === null) return { text: `${HEAD}\nThere are no results yet.\n`, unstable: 0 };
  const { node, cpu, cores, quick, model, tokens, steps, operations, bytes, rounds } = results;
  const prefill = part(
    results,
    ["prefillSeconds", "prefillProcessorSeconds"],
    ({ peak }, { threads }) => operations / (peak * threads),
  );
  const decoding = part(
    results,
    ["tokenSeconds", "tokenProcessorSeconds"],
    ({ bandwidth }, { threads }) => bytes / bandwidth[threads],
  );
  const unstable = prefill.unstable + decoding.unstable;
  const table = (first, { rows }) =>
    markdownTable([first, "time", "ratio", "processor", "least time", "time / least"], rows, {
      numbers: true,
    }).join("\n");
  const parts = [
    HEAD.trimEnd(),
    `${cpu}, ${cores} ${cores === 1 ? "core" : "cores"}; Node ${node}; ${markdownText(model)}; ${rounds.length} ${rounds.length === 1 ? "round" : "rounds"}.`,
    ...(quick ? ["**A quick run: its numbers are not meaningful.**"] : []),
    ...(unstable > 0
      ? [
          `Ratios behind ≈ vary by more than ${percent(STEADY)} between the rounds, as they do on a machine that is busy with other work.`,
        ]
      : []),
    `## Reading ${tokens} tokens at once\n\n${(operations / 1e9).toFixed(1)} × 10⁹ operations.\n\n${table("prefill", prefill)}`,
    `## Decoding with a cache\n\nThe median of ${steps} ${steps === 1 ? "step" : "steps"} of one token each, behind ${tokens}. A step reads ${(bytes / 2 ** 20).toFixed(0)} MiB.\n\n${table("one token", decoding)}`,
  ];
  return { text: `${parts.join("\n\n")}\n`, unstable };
}
