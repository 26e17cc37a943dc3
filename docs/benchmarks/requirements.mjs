// The speed that the package is required to have, beside what a run measured.

/** An engine with relaxed multiply-add can do more, so more is required of it. */
const RATIOS = {
  fixed: { tfjs: 1.4, torch: 0.4, model: 2.5 },
  relaxed: { tfjs: 1.8, torch: 0.5, model: 2 },
};
const BLOCK = 3;
const TWO_THREADS = 1.8;
const UNEVEN = 0.75;
const ATTENTION = 0.6;
const MEMORY = 1.5;
const START = 0.5;

const SQUARE_SHAPE = [1024, 1024, 1024];
const UNEVEN_SHAPE = [1021, 509, 257];
const ATTENTION_SHAPE = [8, 512, 512, 64];

const OURS = "flamboyance simd";
const times = (x) => `${Number(x.toFixed(2))} ×`;
const percent = (x) => `${Math.round(100 * x)} %`;
const seconds = (x) => `${Number(x.toFixed(2))} s`;

/** NaN for an empty list, or for one that contains NaN. */
const largest = (list) => (list.length === 0 ? NaN : Math.max(...list));

function rateIn(rates, backend, threads, shape) {
  const rate = rates.find(
    (r) => r.backend === backend && r.threads === threads && `${r.shape}` === `${shape}`,
  );
  return rate?.gflops ?? NaN;
}

/** A list of { title, bound, atMost, measured, unit, limit }. `measured` is NaN where a number is missing. */
export function requirements({ mode, matmul, attention, examples, start = [], peakGflops }) {
  const ratios = RATIOS[mode] ?? RATIOS.fixed;
  const product = (backend, threads, shape = SQUARE_SHAPE) => rateIn(matmul, backend, threads, shape);
  const pairs = examples
    .filter(({ backend }) => backend === "simd")
    .map((ours) => [ours, examples.find((e) => e.name === ours.name && e.backend === "PyTorch")]);
  const slower = ([ours, torch]) => ours.seconds / (torch?.seconds ?? NaN);
  const larger = ([ours, torch]) => ours.peakBytes / (torch?.peakBytes ?? NaN);
  const example = (name, bound) => ({
    title: `${name}: time relative to PyTorch`,
    bound,
    atMost: true,
    measured: largest(pairs.filter(([ours]) => ours.name === name).map(slower)),
  });
  const top = product(OURS, 1);
  return [
    {
      title: "product 1024³, one thread: rate relative to tfjs wasm",
      bound: ratios.tfjs,
      measured: top / product("tfjs wasm", 1),
      limit: peakGflops / product("tfjs wasm", 1),
    },
    {
      title: "product 1024³, one thread: rate relative to PyTorch",
      bound: ratios.torch,
      measured: top / product("PyTorch", 1),
    },
    {
      title: "product 1024³: rate of two threads relative to one",
      bound: TWO_THREADS,
      measured: product(OURS, 2) / top,
    },
    {
      title: "product 1021×509×257, one thread: rate relative to 1024³",
      bound: UNEVEN,
      measured: product(OURS, 1, UNEVEN_SHAPE) / top,
      unit: percent,
    },
    {
      title: "attention 8×512×512×64, one thread: rate relative to the product 1024³",
      bound: ATTENTION,
      measured: rateIn(attention, OURS, 1, ATTENTION_SHAPE) / top,
      unit: percent,
    },
    example("perceiver-resampler", BLOCK),
    example("gated-cross-attention-block", BLOCK),
    example("flamingo-palm-text", ratios.model),
    example("flamingo-palm-dialogue", ratios.model),
    {
      title: "examples: largest peak memory relative to PyTorch",
      bound: MEMORY,
      atMost: true,
      measured: largest(pairs.map(larger)),
    },
    {
      title: "first result of a new process",
      bound: START,
      atMost: true,
      measured: largest(start.filter(({ backend }) => backend === "simd").map((s) => s.seconds)),
      unit: seconds,
    },
  ];
}

/** Rows of a table: the requirement, its bound and the measurement. `limit` is what the peak of one thread would reach. */
export const requirementRows = (results) =>
  requirements(results).map(({ title, bound, atMost = false, measured, unit = times, limit = NaN }) => {
    const met = atMost ? measured <= bound : measured >= bound;
    const note = limit < bound ? ` (the peak of one thread would reach ${unit(limit)})` : "";
    const cell = Number.isNaN(measured)
      ? "not measured"
      : `${unit(measured)}${met ? "" : ", **missed**"}${note}`;
    return [title, `at ${atMost ? "most" : "least"} ${unit(bound)}`, cell];
  });
