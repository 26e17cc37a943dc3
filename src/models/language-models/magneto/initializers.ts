// Initial weights of a Magneto decoder: torchscale (architecture/decoder.py and utils.py, component/multihead_attention.py at 4d1e0e8, and
// release 0.3.0), Magneto (Wang et al., arXiv 2210.06423, §2.3) and DeepNet (Wang et al., arXiv 2203.00555, §4).
import type { LinearOptions } from "../../../nn/linear.ts";
import { type Check, checked, count, flag, layers, oneOf, optional } from "../../../nn/options.ts";
import { type Initial, normal, uniform } from "../../../nn/parameter.ts";

export const MAGNETO_SCHEMES = ["torchscale", "bert", "xavier-uniform", "magneto"] as const;
/**
 * "torchscale": what its constructor does: every linear as torch.nn.Linear has it. "bert": its `bert_init`. "xavier-uniform": its
 * `MultiheadAttention.reset_parameters`, which nothing calls. "magneto": the papers' gains.
 */
export type MagnetoScheme = (typeof MAGNETO_SCHEMES)[number];

export interface MagnetoInit {
  readonly scheme?: MagnetoScheme | undefined;
  /** The number of layers of the decoder, from which the gain of a residual branch follows. */
  readonly layers: number;
  readonly subLN?: boolean | undefined;
  readonly deepNorm?: boolean | undefined;
}

const checks: { readonly [K in keyof MagnetoInit]-?: Check } = {
  scheme: optional(oneOf(MAGNETO_SCHEMES)),
  layers: layers,
  subLN: optional(flag),
  deepNorm: optional(flag),
};

/** The linear layers of a decoder layer, by their names in torchscale. */
export type MagnetoLinear = "q_proj" | "k_proj" | "v_proj" | "out_proj" | "fc1" | "fc2";

/** The layers of the residual branches whose weights Magneto and DeepNet scale; queries and keys keep theirs. */
const SCALED: readonly MagnetoLinear[] = ["v_proj", "out_proj", "fc1", "fc2"]; // [magnetoinit.scaled]

/**
 * γ = √ln 2N for the branches of a decoder of N layers with sub-LN, divided by (8N)^¼ with DeepNorm. Without either it is 1. A decoder
 * without layers has no branch, and 1.
 */
export function residualGain(init: MagnetoInit): number {
  const { layers: n, subLN = false, deepNorm = false } = checked("residualGain", init, checks);
  if (n === 0) return 1;
  const gain = subLN ? Math.sqrt(Math.log(2 * n)) : 1; // [magnetoinit.sub-ln]
  return deepNorm ? gain / (8 * n) ** 0.25 : gain; // [magnetoinit.deepnorm]
}

/** The standard deviation of `bert_init`. */
const BERT_STD = 0.02;

/** √(6 / (rows + columns)), the bound of torch.nn.init.xavier_uniform_. */
export const xavierBound = (rows: number, columns: number, gain = 1): number =>
  gain * Math.sqrt(6 / (rows + columns)); // [magnetoinit.xavier-bound]

/**
 * The initial distributions of weight and bias of a linear layer, as options of `Linear`. Throws a RuleError if an option is none of these.
 */
export function magnetoLinear(
  name: MagnetoLinear,
  ins: number,
  outs: number,
  init: MagnetoInit,
): LinearOptions {
  const { scheme = "torchscale" } = checked("magnetoLinear", init, checks); // [magnetoinit.torchscale]
  const gain = SCALED.includes(name) ? residualGain(init) : 1; // [magnetoinit.scaled]
  if (scheme === "bert") return { initial: normal(BERT_STD * gain) }; // [magnetoinit.bert]
  if (scheme === "magneto") return { initial: normal(Math.sqrt(2 / (ins + outs)) * gain) }; // [magnetoinit.magneto]
  const usual = uniform(gain / Math.sqrt(ins)); // [magnetoinit.torchscale]
  if (scheme === "torchscale" || name === "fc1" || name === "fc2")
    return { initial: usual, initialBias: usual };
  if (name === "out_proj") return { initial: uniform(xavierBound(outs, ins, gain)) }; // [magnetoinit.xavier-uniform]
  return { initial: uniform(xavierBound(outs, ins, gain * Math.SQRT1_2)), initialBias: usual }; // [magnetoinit.xavier-uniform]
}

export interface MagnetoTables {
  /** Token embeddings. */
  readonly tokens: Initial;
  /** Learned positions. */
  readonly positions: Initial;
  /** The output projection, if it is no token table. */
  readonly output: Initial;
  /** The bias of relative positions. */
  readonly bias: Initial;
}

export const TOKEN_TABLES = ["torchscale", "bitsandbytes"] as const;
/** The class whose token embeddings a decoder is given: torchscale's TextEmbedding, or bitsandbytes' nn.Embedding, as in Kosmos. */
export type TokenTable = (typeof TOKEN_TABLES)[number];

export interface MagnetoTablesOptions {
  readonly vocabSize: number;
  readonly width: number;
  readonly scheme?: MagnetoScheme | undefined;
  readonly tokenTable?: TokenTable | undefined;
}
const tableChecks: { readonly [K in keyof MagnetoTablesOptions]-?: Check } = {
  vocabSize: count,
  width: count,
  scheme: optional(oneOf(MAGNETO_SCHEMES)),
  tokenTable: optional(oneOf(TOKEN_TABLES)),
};

/**
 * The initial distributions of the tables of a decoder: positions and biases as torch.nn.Embedding has them, the output projection as
 * torchscale builds it. `bert_init` replaces all of them.
 */
export function magnetoTables(options: MagnetoTablesOptions): MagnetoTables {
  const {
    vocabSize,
    width,
    scheme = "torchscale",
    tokenTable = "torchscale",
  } = checked("magnetoTables", options, tableChecks);
  if (scheme === "bert") {
    const bert = normal(BERT_STD); // [magnetoinit.bert]
    return { tokens: bert, positions: bert, output: bert, bias: bert };
  }
  const byWidth = normal(width ** -0.5);
  return {
    tokens: tokenTable === "torchscale" ? byWidth : uniform(xavierBound(vocabSize, width)), // [magnetoinit.tokens]
    positions: normal(1), // [magnetoinit.tables]
    output: byWidth, // [magnetoinit.tables]
    bias: normal(1), // [magnetoinit.tables]
  };
}
