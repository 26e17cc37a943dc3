// What was asked of the package's speed, beside what a run reached. Every number reached comes from the run's results.

/** An engine with relaxed multiply-add can do more, and more is asked of it. */
const PRODUCT = { fixed: { tfjs: 1.4, torch: 0.4 }, relaxed: { tfjs: 1.8, torch: 0.5 } };
const THREADS = 1.8;
const ODD = 1.25;
const ATTENTION = 0.6;
const EXAMPLES = {
  "perceiver-resampler": 2.5,
  "gated-cross-attention-block": 2,
  "flamingo-palm-text": 3,
  "flamingo-palm-dialogue": 3,
};
const MEMORY = 1.5;
const START = 0.5;

const LARGE = [512, 768, 1024].map((n) => [n, n, n]);
const WIDE = [512, 1024].map((n) => [8, n, n, 64]);

const OURS = "flamboyance simd";
const times = (x) => `${Number(x.toFixed(2))} ×`;
const percent = (x) => `${Math.round(100 * x)} %`;
const seconds = (x) => `${Number(x.toFixed(2))} s`;

/** Without a number in the list, or with a hole in it: NaN. */
const least = (list) => (list.length === 0 ? NaN : Math.min(...list));
const most = (list) => (list.length === 0 ? NaN : Math.max(...list));

function rateIn(list, name, threads, shape) {
  const found = list.find((r) => r.name === name && r.threads === threads && `${r.shape}` === `${shape}`);
  return found?.gflops ?? NaN;
}

/** For each point { what, bound, atMost, reached, unit }; what was not measured has reached NaN. */
export function points({ mode, cores, matmul, attention, examples, start = [] }) {
  const bound = PRODUCT[mode] ?? PRODUCT.fixed;
  const product = (name, threads, shape) => rateIn(matmul, name, threads, shape);
  const beside = (name) => least(LARGE.map((s) => product(OURS, 1, s) / product(name, 1, s)));
  const pairs = examples
    .filter(({ backend }) => backend === "simd")
    .map((mine) => [mine, examples.find((e) => e.name === mine.name && e.backend === "PyTorch")]);
  const slower = ([mine, torch]) => mine.seconds / (torch?.seconds ?? NaN);
  const larger = ([mine, torch]) => mine.peakBytes / (torch?.peakBytes ?? NaN);
  const odd = (threads) => product(OURS, threads, [512, 512, 512]) / product(OURS, threads, [1021, 509, 257]);
  const top = product(OURS, 1, [1024, 1024, 1024]);
  return [
    {
      what: "product, rate beside tfjs wasm's, one thread each",
      bound: bound.tfjs,
      reached: beside("tfjs wasm"),
    },
    {
      what: "product, rate beside PyTorch's, one thread each",
      bound: bound.torch,
      reached: beside("PyTorch"),
    },
    {
      what: "product, two threads beside one",
      bound: THREADS,
      reached: least(LARGE.map((s) => product(OURS, 2, s) / product(OURS, 1, s))),
    },
    {
      what: "product, time of 1021×509×257 beside 512×512×512, as many operations",
      bound: ODD,
      atMost: true,
      reached: most([...new Set([1, cores])].map(odd)),
    },
    {
      what: "attention, share of the product's rate at 1024, one thread",
      bound: ATTENTION,
      reached: least(WIDE.map((s) => rateIn(attention, OURS, 1, s) / top)),
      unit: percent,
    },
    ...Object.entries(EXAMPLES).map(([name, bound]) => ({
      what: `${name}, time beside PyTorch's`,
      bound,
      atMost: true,
      reached: most(pairs.filter(([{ name: one }]) => one === name).map(slower)),
    })),
    {
      what: "examples, most memory beside PyTorch's",
      bound: MEMORY,
      atMost: true,
      reached: most(pairs.map(larger)),
    },
    {
      what: "first result of a fresh process",
      bound: START,
      atMost: true,
      reached: most(start.filter(({ backend }) => backend === "simd").map((s) => s.seconds)),
      unit: seconds,
    },
  ];
}

/** Cells of a table: what, asked, reached. The worst shape or example counts. */
export const askedAndReached = (found) =>
  points(found).map(({ what, bound, atMost = false, reached, unit = times }) => {
    const met = atMost ? reached <= bound : reached >= bound;
    const told = Number.isNaN(reached) ? "not measured" : `${unit(reached)}${met ? "" : ", **missed**"}`;
    return [what, `at ${atMost ? "most" : "least"} ${unit(bound)}`, told];
  });
