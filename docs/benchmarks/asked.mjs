// What was asked of the package's speed, beside what a run reached. Every number reached comes from the run's results.

/** An engine with relaxed multiply-add can do more, and more is asked of it. */
const ASKED = {
  fixed: { tfjs: 1.4, torch: 0.4, model: 2.5 },
  relaxed: { tfjs: 1.8, torch: 0.5, model: 2 },
};
const BLOCK = 3;
const THREADS = 1.8;
const ODD = 0.75;
const ATTENTION = 0.6;
const MEMORY = 1.5;
const START = 0.5;

const SQUARE = [1024, 1024, 1024];
const UNEVEN = [1021, 509, 257];
const HEADS = [8, 512, 512, 64];

const OURS = "flamboyance simd";
const times = (x) => `${Number(x.toFixed(2))} ×`;
const percent = (x) => `${Math.round(100 * x)} %`;
const seconds = (x) => `${Number(x.toFixed(2))} s`;

/** Without a number in the list, or with a hole in it: NaN. */
const most = (list) => (list.length === 0 ? NaN : Math.max(...list));

function rateIn(list, name, threads, shape) {
  const found = list.find((r) => r.name === name && r.threads === threads && `${r.shape}` === `${shape}`);
  return found?.gflops ?? NaN;
}

/** For each point { what, bound, atMost, reached, unit, limit }; what was not measured has reached NaN. */
export function points({ mode, matmul, attention, examples, start = [], peakGflops }) {
  const bound = ASKED[mode] ?? ASKED.fixed;
  const product = (name, threads, shape = SQUARE) => rateIn(matmul, name, threads, shape);
  const pairs = examples
    .filter(({ backend }) => backend === "simd")
    .map((mine) => [mine, examples.find((e) => e.name === mine.name && e.backend === "PyTorch")]);
  const slower = ([mine, torch]) => mine.seconds / (torch?.seconds ?? NaN);
  const larger = ([mine, torch]) => mine.peakBytes / (torch?.peakBytes ?? NaN);
  const example = (name, bound) => ({
    what: `${name}, time beside PyTorch's`,
    bound,
    atMost: true,
    reached: most(pairs.filter(([{ name: one }]) => one === name).map(slower)),
  });
  const top = product(OURS, 1);
  return [
    {
      what: "product 1024³, rate beside tfjs wasm's, one thread each",
      bound: bound.tfjs,
      reached: top / product("tfjs wasm", 1),
      limit: peakGflops / product("tfjs wasm", 1),
    },
    {
      what: "product 1024³, rate beside PyTorch's, one thread each",
      bound: bound.torch,
      reached: top / product("PyTorch", 1),
    },
    { what: "product 1024³, two threads beside one", bound: THREADS, reached: product(OURS, 2) / top },
    {
      what: "product 1021×509×257, share of the rate at 1024³, one thread",
      bound: ODD,
      reached: product(OURS, 1, UNEVEN) / top,
      unit: percent,
    },
    {
      what: "attention 8×512×512×64, share of the product's rate at 1024³, one thread",
      bound: ATTENTION,
      reached: rateIn(attention, OURS, 1, HEADS) / top,
      unit: percent,
    },
    example("perceiver-resampler", BLOCK),
    example("gated-cross-attention-block", BLOCK),
    example("flamingo-palm-text", bound.model),
    example("flamingo-palm-dialogue", bound.model),
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

/** Cells of a table: what, asked, reached. The worst example counts. `limit` is what a loop in registers would reach. */
export const askedAndReached = (found) =>
  points(found).map(({ what, bound, atMost = false, reached, unit = times, limit = NaN }) => {
    const met = atMost ? reached <= bound : reached >= bound;
    const most = limit < bound ? ` (a loop in registers: ${unit(limit)})` : "";
    const told = Number.isNaN(reached)
      ? "not measured"
      : `${unit(reached)}${met ? "" : ", **missed**"}${most}`;
    return [what, `at ${atMost ? "most" : "least"} ${unit(bound)}`, told];
  });
