// The page of results and its pictures, from the results of one or several versions of Node.
import { duration, mebibytes } from "../../dist/bench/tables.js";
import { markdownTable } from "../../dist/terminal/markdown.js";
import { requirementRows } from "./requirements.mjs";

const COLOURS = [
  "#c2185b",
  "#1f77b4",
  "#2ca02c",
  "#ff7f0e",
  "#9467bd",
  "#8c564b",
  "#17becf",
  "#7f7f7f",
  "#bcbd22",
  "#e377c2",
  "#333333",
  "#aaaaaa",
];
const onThreads = (threads) => `${threads} ${threads === 1 ? "thread" : "threads"}`;
const label = ({ backend, mode, threads }) =>
  `${[backend, mode].filter(Boolean).join(" ")}, ${onThreads(threads)}`;
const unique = (list) => [...new Set(list)];
const isSquare = ([m, k, n]) => m === k && k === n;

const table = (head, rows) => markdownTable(head, rows, { numbers: true }).join("\n");

/** A row for each target, a column for each shape. */
function rateTable(rates) {
  const shapes = unique(rates.map(({ shape }) => shape.join("×")));
  const rows = unique(rates.map(label)).map((target) => [
    target,
    ...shapes.map((shape) => {
      const rate = rates.find((r) => label(r) === target && r.shape.join("×") === shape);
      return rate ? rate.gflops.toFixed(1) : "–";
    }),
  ]);
  return table(["GFLOP/s", ...shapes], rows);
}

/** The examples, each beside PyTorch, with ratios. */
function exampleTable(examples) {
  const compared = (ours, torch, format) =>
    torch === undefined
      ? [format(ours), "–", "–"]
      : [format(ours), format(torch), `${(ours / torch).toFixed(2)} ×`];
  const rows = examples
    .filter(({ backend }) => backend !== "PyTorch")
    .map(({ name, backend, threads, seconds, peakBytes }) => {
      const torch = examples.find((e) => e.name === name && e.backend === "PyTorch");
      return [
        `${name}, ${backend} ${onThreads(threads)}`,
        ...compared(seconds, torch?.seconds, duration),
        ...compared(peakBytes, torch?.peakBytes, mebibytes),
      ];
    });
  return table(["", "time", "PyTorch", "ratio", "peak memory", "PyTorch", "ratio"], rows);
}

/** Tokens per second of a decoder with a cache, beside PyTorch and beside the limit that reading the weights and the cache sets. */
function decodeTable(speeds) {
  const rows = speeds
    .filter(({ backend }) => backend !== "PyTorch")
    .map(({ backend, threads, layers, width, cached, tokensPerSecond, overheadMs, bandwidthLimit }) => {
      const torch = speeds.find(
        (s) =>
          s.backend === "PyTorch" &&
          s.threads === threads &&
          s.layers === layers &&
          s.width === width &&
          s.cached === cached,
      );
      return [
        `${layers} × ${width}, ${cached} cached, ${backend} ${onThreads(threads)}`,
        tokensPerSecond.toFixed(1),
        torch ? torch.tokensPerSecond.toFixed(1) : "–",
        torch ? `${(tokensPerSecond / torch.tokensPerSecond).toFixed(2)} ×` : "–",
        bandwidthLimit === null ? "–" : bandwidthLimit.toFixed(1),
        `${overheadMs.toFixed(1)} ms`,
      ];
    });
  return table(["layers × width", "tokens/s", "PyTorch", "ratio", "limit of the memory", "overhead"], rows);
}

/** The speed and the memory of a language model from a folder, beside PyTorch. */
function languageModelTable(speeds) {
  const [ours, torch] = ["simd", "PyTorch"].map((name) => speeds.find(({ backend }) => backend === name));
  if (ours === undefined) return "";
  const ratio = (key) => (torch ? `${(ours[key] / torch[key]).toFixed(2)} ×` : "–");
  const row = (title, key, format, limit) => [
    title,
    format(ours[key]),
    torch ? format(torch[key]) : "–",
    ratio(key),
    limit,
  ];
  const perSecond = (x) => x.toFixed(1);
  return table(
    [
      "",
      `flamboyance simd, ${onThreads(ours.threads)}`,
      "PyTorch, float32",
      "ratio",
      "limit of the machine here",
    ],
    [
      row(`reading ${ours.tokens} tokens`, "prefillSeconds", duration, duration(ours.prefillLimit)),
      row("processor time", "prefillProcessorSeconds", duration, ""),
      row("decoding, tokens/s", "tokensPerSecond", perSecond, perSecond(ours.bandwidthLimit)),
      row("processor time of a token", "tokenProcessorSeconds", duration, ""),
      row("peak memory", "peakBytes", mebibytes, `${mebibytes(ours.weightBytes)} of weights`),
      ["first token of a process", duration(ours.firstTokenSeconds), "", "", ""],
    ],
  );
}

const startTable = (starts) =>
  table(
    ["", "time"],
    starts.map((start) => [label(start), duration(start.seconds)]),
  );

function scalingTable(scaling) {
  const rows = scaling.map(({ name, over, sizes, seconds, exponent }) => [
    name,
    over,
    sizes.map((size, i) => `${size}: ${duration(seconds[i])}`).join(", "),
    exponent.toFixed(2),
  ]);
  return table(["", "over", "times", "exponent"], rows);
}

/** Rate over size, both on logarithmic scales. */
function picture(rates) {
  const [width, height, left, right, top, bottom] = [820, 440, 60, 260, 20, 45];
  const squares = rates.filter(({ shape }) => isSquare(shape));
  const sizes = unique(squares.map(({ shape }) => shape[0])).sort((a, b) => a - b);
  const speeds = squares.map(({ gflops }) => gflops).filter((x) => x > 0);
  const [low, high] = [
    Math.floor(Math.log10(Math.min(...speeds))),
    Math.ceil(Math.log10(Math.max(...speeds))),
  ];
  const across = Math.log2(sizes.at(-1) / sizes[0]) || 1;
  const x = (n) => left + ((width - left - right) * Math.log2(n / sizes[0])) / across;
  const y = (g) =>
    height - bottom - ((height - top - bottom) * (Math.log10(g) - low)) / Math.max(1, high - low);
  const text = (x, y, words, attributes = "") =>
    `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${attributes}>${words}</text>`;
  const grid = Array.from({ length: high - low + 1 }, (_, i) => 10 ** (low + i)).flatMap((g) => [
    `<line x1="${left}" x2="${width - right}" y1="${y(g).toFixed(1)}" y2="${y(g).toFixed(1)}" stroke="#ddd"/>`,
    text(left - 8, y(g) + 4, String(g), 'text-anchor="end"'),
  ]);
  const axis = sizes.map((n) => text(x(n), height - bottom + 18, String(n), 'text-anchor="middle"'));
  const lines = unique(squares.map(label)).flatMap((target, i) => {
    const colour = COLOURS[i % COLOURS.length];
    const own = squares.filter((r) => label(r) === target).sort((a, b) => a.shape[0] - b.shape[0]);
    const points = own.map(({ shape: [n], gflops }) => `${x(n).toFixed(1)},${y(gflops).toFixed(1)}`);
    const row = top + 10 + 20 * i;
    return [
      `<polyline points="${points.join(" ")}" fill="none" stroke="${colour}" stroke-width="2"/>`,
      ...points.map(
        (point) => `<circle cx="${point.split(",")[0]}" cy="${point.split(",")[1]}" r="3" fill="${colour}"/>`,
      ),
      `<line x1="${width - right + 20}" x2="${width - right + 44}" y1="${row}" y2="${row}" stroke="${colour}" stroke-width="3"/>`,
      text(width - right + 52, row + 4, target),
    ];
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">
<rect width="${width}" height="${height}" fill="white"/>
${[...grid, ...axis, ...lines].join("\n")}
${text((left + width - right) / 2, height - 8, "n of an n × n × n product, float32; GFLOP/s upwards", 'text-anchor="middle"')}
</svg>
`;
}

const HEAD = `# Benchmarks

This page is written by \`node run.mjs\` in this folder; do not edit it.

All packages do the same work in the same run of a part, each in a process of its own. Products are measured in three interleaved rounds and
their results are checked; each number is the median of the rounds' medians. All other numbers are the median of one round, in which
flamboyance runs before PyTorch. The times of flamboyance include copying both operands in and the result out, as
\`matmul(a, b)\` does; the operands of the other packages are already in their own memory. "Operands kept" is a product as a model runs it:
the operands stay in the backend after the first run, as weights do, and only the result is copied.

\`\`\`sh
npm ci && npm run build                      # in the repository
cd docs/benchmarks && npm ci --ignore-scripts
node run.mjs                                 # repeat with another Node to add its results
node run.mjs --only language-model --model FOLDER    # add a language model; FOLDER has config.json and model.safetensors
node run.mjs --only page                     # write this page from results/*.json
\`\`\`

PyTorch is measured if \`PYTHON\` names an interpreter that has it.
[Language models on each backend](language-models/README.md) and [Perceiver IO beside PyTorch](perceiver/README.md) have pages of their own.
`;

function section(results) {
  const {
    node,
    v8,
    cpu,
    cores,
    torch,
    quick,
    peakGflops,
    decode = [],
    start = [],
    languageModel = [],
  } = results;
  const major = node.slice(1).split(".")[0];
  const parts = [
    `## Node ${node}`,
    `${cpu}, ${cores} ${cores === 1 ? "core" : "cores"}; V8 ${v8}; ${torch ? `PyTorch ${torch}` : "without PyTorch"}. Peak of one thread: **${peakGflops.toFixed(0)} GFLOP/s**.`,
    quick
      ? "**A quick run with small shapes: its numbers are not meaningful.**"
      : `### Requirements\n\n${table(["", "required", "measured"], requirementRows(results))}`,
    results.matmul.length > 0 &&
      `### Matrix product [m×k×n]\n\n${rateTable(results.matmul)}\n\n![rate over size](speed-node-${major}.svg)`,
    results.attention.length > 0 &&
      `### Attention [heads×queries×keys×width]\n\n${rateTable(results.attention)}`,
    results.examples.length > 0 &&
      `### The examples of flamingo-pytorch's README\n\n${exampleTable(results.examples)}`,
    decode.length > 0 &&
      `### Decoding with a cache\n\nOne token at a time by a LLaMA with random float32 weights, which is the same in PyTorch. "Limit of the memory" is the rate at which the weights and the cache can be read; "overhead" is the processor time of a step whose layers are so narrow that computing takes next to no time.\n\n${decodeTable(decode)}`,
    languageModel.length > 0 &&
      `### A language model from a folder\n\nThe same folder and the same text in both, in rounds that take turns: a text is read in one pass, then tokens are decoded greedily, one a step. flamboyance keeps the weights in the precision of the file, PyTorch (transformers) in float32. The limits are the time of the products at the peak of all threads, and the rate at which the weights and the cache can be read.\n\n${languageModelTable(languageModel)}`,
    results.scaling.length > 0 &&
      `### Growth of time\n\nTime ≈ c · sizeᵉ, with the exponent e of the best fit.\n\n${scalingTable(results.scaling)}`,
    start.length > 0 &&
      `### First result of a new process\n\nFrom the start of Node to the logits of a tiny FlamingoPaLM: loading, compiling and running it.\n\n${startTable(start)}`,
  ];
  return parts.filter(Boolean).join("\n\n");
}

/** The texts of README.md and of the pictures, by file name. `all` has the results of each version of Node. */
export function page(all) {
  const pictures = all
    .filter(({ matmul }) => matmul.length > 0)
    .map(({ node, matmul }) => [`speed-node-${node.slice(1).split(".")[0]}.svg`, picture(matmul)]);
  const sections = all.length > 0 ? all.map(section) : ["There are no results yet."];
  return { "README.md": `${[HEAD.trimEnd(), ...sections].join("\n\n")}\n`, ...Object.fromEntries(pictures) };
}
