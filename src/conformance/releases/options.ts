// The arguments of the releases' classes: what Python says of those that are missing or unknown, and what the releases say of values.
import { broadcastError, MODULO_ZERO, POWER_OF_ZERO, probabilityError, rangeError } from "./torch.ts";

const snakeCase = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** Functions whose release has another name for them; FeedForward is a function of flamingo-pytorch. */
const FUNCTIONS: ReadonlyMap<string, string> = new Map([
  ["FeedForward", "FeedForward"],
  ["fourierFeatures", "generate_fourier_features"],
]);
/** Calls that take their required arguments by position, too. */
const POSITIONAL: readonly string[] = ["FeedForward", "ParallelTransformerBlock"];

/** How Python names a call: a function or method by its name, and the constructor of a class. */
function callOf(caller: string): string {
  const isClass = /^[A-Z]\w*$/.test(caller);
  return FUNCTIONS.get(caller) ?? (isClass ? `${caller}.__init__` : caller);
}

/** Python's error for an argument that a call does not have. */
export const unexpectedArgument = ({ caller, name }: { caller: string; name: string }): string =>
  `TypeError: ${callOf(caller)}() got an unexpected keyword argument '${snakeCase(name)}'`;

/** Python's error for arguments that are left out. */
export function missingArguments({ caller, names }: { caller: string; names: readonly string[] }): string {
  const quoted = names.map((name) => `'${snakeCase(name)}'`);
  const last = quoted.pop();
  const list = [
    quoted.join(", "),
    ...(quoted.length > 1 ? [","] : []),
    quoted.length > 0 ? " and " : "",
    last,
  ];
  const takes = POSITIONAL.includes(caller) ? "positional" : "keyword-only";
  const noun = names.length === 1 ? "argument" : "arguments";
  return `TypeError: ${callOf(caller)}() missing ${names.length} required ${takes} ${noun}: ${list.join("")}`;
}

type ValueError = (value: unknown) => string | null;

const ifZero =
  (message: string): ValueError =>
  (value) =>
    value === 0 ? message : null;

/** The width of a head with rotary embeddings: the release builds the block, and it fails when it runs. */
const rotated: ValueError = (width) =>
  Number.isInteger(width) && Number(width) % 2 === 1
    ? broadcastError(Number(width), Number(width) + 1, 3)
    : null;

const heads = { heads: ifZero(MODULO_ZERO), dimHead: ifZero(POWER_OF_ZERO) };
/** torchscale raises an error without a text. */
const activation = { activation: () => "NotImplementedError: " };

/** Errors for values of arguments, by the class and the argument. */
const values: Readonly<Record<string, Readonly<Record<string, ValueError>>>> = {
  PerceiverAttention: heads,
  MaskedCrossAttention: heads,
  GatedCrossAttentionBlock: heads,
  ParallelTransformerBlock: {
    ...heads,
    dimHead: (width) => heads.dimHead(width) ?? rotated(width),
  },
  RotaryEmbedding: { dim: rotated },
  PerceiverResampler: { ...heads, depth: rangeError },
  FlamingoPaLM: {
    ...heads,
    depth: rangeError,
    perceiverDepth: rangeError,
    crossAttnEvery: ifZero(MODULO_ZERO),
  },
  ViT: {
    ...heads,
    depth: rangeError,
    patchSize: ifZero(MODULO_ZERO),
    pool: () => "AssertionError: pool type must be either cls (cls token) or mean (mean pooling)",
  },
  MagnetoDecoder: activation,
  MagnetoFeedForward: activation,
};

/** Arguments of any class that become the probability of a torch.nn.Dropout. */
const PROBABILITIES: readonly string[] = [
  "p",
  "dropout",
  "embDropout",
  "dropoutProb",
  "attentionDropout",
  "activationDropout",
  "dropPathRate",
];

/** The release's error for the value of an argument. */
export function refusedValue(facts: { caller: string; name: string; value: unknown }): string | null {
  const { caller, name, value } = facts;
  const words = values[caller]?.[name] ?? (PROBABILITIES.includes(name) ? probabilityError : null);
  return words?.(value) ?? null;
}
