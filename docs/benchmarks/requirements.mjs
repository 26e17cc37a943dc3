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
const PREFILL = 2;
const DECODING = 0.8;
const TOKENS_PER_SECOND = 15;
const FIRST_TOKEN = 3;

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
export function requirements({
  mode,
  matmul,
  attention,
  examples,
  start = [],
  languageModel = [],
  peakGflops,
}) {
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
    ...languageModelRequirements(languageModel),
  ];
}

/** Of a language model from a folder; none where none was measured. */
function languageModelRequirements(speeds) {
  const [ours, torch] = ["simd", "PyTorch"].map((name) => speeds.find(({ backend }) => backend === name));
  if (ours === undefined) return [];
  return [
    {
      title: `language model, ${ours.tokens} tokens at once: time relative to PyTorch in float32`,
      bound: PREFILL,
      atMost: true,
      measured: ours.prefillSeconds / (torch?.prefillSeconds ?? NaN),
    },
    {
      title: "language model, decoding: tokens a second relative to PyTorch in float32",
      bound: DECODING,
      measured: ours.tokensPerSecond / (torch?.tokensPerSecond ?? NaN),
    },
    {
      title: "language model, decoding: tokens a second",
      bound: TOKENS_PER_SECOND,
      measured: ours.tokensPerSecond,
      unit: (x) => x.toFixed(1),
    },
    {
      title: "language model: peak memory relative to 1.3 × its weights and 250 MB",
      bound: 1,
      atMost: true,
      measured: ours.peakBytes / (1.3 * ours.weightBytes + 250e6),
    },
    {
      title: "language model: first token of a new process",
      bound: FIRST_TOKEN,
      atMost: true,
      measured: ours.firstTokenSeconds,
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
