// The page of results and its pictures, from what was measured with one or several Nodes.
import { askedAndReached } from "./asked.mjs";

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
const label = ({ name, threads }) => `${name}, ${onThreads(threads)}`;
const unique = (list) => [...new Set(list)];
const isSquare = ([m, k, n]) => m === k && k === n;

function table(head, rows) {
  const line = (cells) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map((_, i) => (i === 0 ? "---" : "---:"))), ...rows.map(line)].join("\n");
}

/** A row for each contestant, a column for each shape. */
function rates(found) {
  const shapes = unique(found.map(({ shape }) => shape.join("×")));
  const rows = unique(found.map(label)).map((who) => [
    who,
    ...shapes.map((shape) => {
      const one = found.find((r) => label(r) === who && r.shape.join("×") === shape);
      return one ? one.gflops.toFixed(1) : "–";
    }),
  ]);
  return table(["GFLOP/s", ...shapes], rows);
}

const duration = (seconds) => (seconds < 1 ? `${(1000 * seconds).toFixed(0)} ms` : `${seconds.toFixed(2)} s`);

const memory = (bytes) => `${(bytes / 2 ** 20).toFixed(0)} MiB`;

/** Ours beside PyTorch's, with how many times as much ours takes. */
function examples(found) {
  const side = (mine, theirs, tell) =>
    theirs === undefined
      ? [tell(mine), "–", "–"]
      : [tell(mine), tell(theirs), `${(mine / theirs).toFixed(2)} ×`];
  const rows = found
    .filter(({ backend }) => backend !== "PyTorch")
    .map(({ name, backend, threads, seconds, peakBytes }) => {
      const torch = found.find((e) => e.name === name && e.backend === "PyTorch");
      return [
        `${name}, ${backend} ${onThreads(threads)}`,
        ...side(seconds, torch?.seconds, duration),
        ...side(peakBytes, torch?.peakBytes, memory),
      ];
    });
  return table(["", "time", "PyTorch's", "ratio", "most memory", "PyTorch's", "ratio"], rows);
}

function starts(found) {
  const rows = found.map(({ backend, mode, threads, seconds }) => [
    `${[backend, mode].filter(Boolean).join(" ")}, ${onThreads(threads)}`,
    duration(seconds),
  ]);
  return table(["", "time"], rows);
}

function scalingTable(found) {
  const rows = found.map(({ name, over, sizes, seconds, exponent }) => [
    name,
    over,
    sizes.map((size, i) => `${size}: ${duration(seconds[i])}`).join(", "),
    exponent.toFixed(2),
  ]);
  return table(["", "over", "times", "exponent"], rows);
}

/** Speed over size, both logarithmic. */
export function picture(found) {
  const [width, height, left, right, top, bottom] = [820, 440, 60, 260, 20, 45];
  const squares = found.filter(({ shape }) => isSquare(shape));
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
  const text = (at, to, words, more = "") =>
    `<text x="${at.toFixed(1)}" y="${to.toFixed(1)}" ${more}>${words}</text>`;
  const grid = Array.from({ length: high - low + 1 }, (_, i) => 10 ** (low + i)).flatMap((g) => [
    `<line x1="${left}" x2="${width - right}" y1="${y(g).toFixed(1)}" y2="${y(g).toFixed(1)}" stroke="#ddd"/>`,
    text(left - 8, y(g) + 4, String(g), 'text-anchor="end"'),
  ]);
  const axis = sizes.map((n) => text(x(n), height - bottom + 18, String(n), 'text-anchor="middle"'));
  const lines = unique(squares.map(label)).flatMap((who, i) => {
    const colour = COLOURS[i % COLOURS.length];
    const own = squares.filter((r) => label(r) === who).sort((a, b) => a.shape[0] - b.shape[0]);
    const points = own.map(({ shape: [n], gflops }) => `${x(n).toFixed(1)},${y(gflops).toFixed(1)}`);
    const to = top + 10 + 20 * i;
    return [
      `<polyline points="${points.join(" ")}" fill="none" stroke="${colour}" stroke-width="2"/>`,
      ...points.map(
        (point) => `<circle cx="${point.split(",")[0]}" cy="${point.split(",")[1]}" r="3" fill="${colour}"/>`,
      ),
      `<line x1="${width - right + 20}" x2="${width - right + 44}" y1="${to}" y2="${to}" stroke="${colour}" stroke-width="3"/>`,
      text(width - right + 52, to + 4, who),
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

Written by \`node run.mjs\` in this folder; do not edit. Everybody does the same work in the same run, each in a process of its
own. In products they take turns, every product is checked, and a number is the median of the medians of three rounds; elsewhere it is the
median of one round, ours before PyTorch's. flamboyance's time includes copying both
operands in and the result out, because \`matmul(a, b)\` does that; the others' operands lie ready where they want them. "Operands
kept" is what a model sees: they stand in the backend from the first run on, as weights do, and only the result is copied.

    npm ci && npm run build                      # in the repository
    cd docs/benchmarks && npm ci --ignore-scripts
    node run.mjs                                 # again with another Node: its results come beside these

PyTorch takes part when \`PYTHON\` names an interpreter that has it.
`;

function section(found) {
  const { node, v8, cpu, cores, torch, quick, peakGflops, start = [] } = found;
  const major = node.slice(1).split(".")[0];
  const parts = [
    `## Node ${node}`,
    `${cpu}, ${cores} ${cores === 1 ? "core" : "cores"}; V8 ${v8}; ${torch ? `PyTorch ${torch}` : "without PyTorch"}. One thread in registers: **${peakGflops.toFixed(0)} GFLOP/s**.`,
    quick
      ? "**A quick run: it shows that everything works, and nothing else.**"
      : `### Asked and reached\n\nOf the examples' memory the worst counts.\n\n${table(["", "asked", "reached"], askedAndReached(found))}`,
    found.matmul.length > 0 &&
      `### Matrix product [m×k×n]\n\n${rates(found.matmul)}\n\n![speed over size](speed-node-${major}.svg)`,
    found.attention.length > 0 && `### Attention [heads×queries×keys×width]\n\n${rates(found.attention)}`,
    found.examples.length > 0 &&
      `### The examples of flamingo-pytorch's README\n\n${examples(found.examples)}`,
    found.scaling.length > 0 &&
      `### How time grows\n\nTime ≈ c · sizeᵉ, with the exponent e of the best fit.\n\n${scalingTable(found.scaling)}`,
    start.length > 0 &&
      `### The first result of a fresh process\n\nLoad, compile, run a tiny FlamingoPaLM: from the start of Node to its logits.\n\n${starts(start)}`,
  ];
  return parts.filter(Boolean).join("\n\n");
}

/** Files by name. */
export function page(all) {
  const pictures = all
    .filter(({ matmul }) => matmul.length > 0)
    .map(({ node, matmul }) => [`speed-node-${node.slice(1).split(".")[0]}.svg`, picture(matmul)]);
  const sections = all.length > 0 ? all.map(section) : ["There are no results yet."];
  return { "README.md": `${[HEAD, ...sections].join("\n")}\n`, ...Object.fromEntries(pictures) };
}
