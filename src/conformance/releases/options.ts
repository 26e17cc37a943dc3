// The arguments of the releases' classes: what Python says of those that are missing or unknown, and what the releases say of values.
import { broadcastError, MODULO_ZERO, POWER_OF_ZERO, probabilityError, rangeError } from "./torch.ts";

const snakeCase = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** How Python names a call, and how the call takes the arguments that it needs. */
type PythonCall = readonly [name: string, takes: "keyword-only" | "positional"];

const constructorOf = (name: string, takes: PythonCall[1] = "keyword-only"): [string, PythonCall] => [
  name,
  [`${name}.__init__`, takes],
];

/** Calls of the releases with the same arguments: flamingo-pytorch 0.1.2, vit-pytorch 1.26.11, and JOBR0/PerceiverIO_Pytorch at 64947cf. */
const CALLS: ReadonlyMap<string, PythonCall> = new Map<string, PythonCall>([
  constructorOf("PerceiverAttention"),
  constructorOf("PerceiverResampler"),
  constructorOf("MaskedCrossAttention"),
  constructorOf("GatedCrossAttentionBlock"),
  constructorOf("ParallelTransformerBlock", "positional"),
  constructorOf("FlamingoPaLM"),
  ["FlamingoPaLM.forward", ["FlamingoPaLM.forward", "positional"]],
  ["FeedForward", ["FeedForward", "positional"]], // a function
  constructorOf("ViT"),
  constructorOf("Extractor", "positional"),
  ["fourierFeatures", ["generate_fourier_features", "positional"]],
]);

/** Options of `fourierFeatures` that the release calls by another name, or has a default for (null). */
const FOURIER: ReadonlyMap<string, string | null> = new Map([
  ["bands", "num_bands"],
  ["maxResolution", null],
]);
/** Arguments of the release that are no options of `fourierFeatures` under this name. */
const FOURIER_ARGUMENTS: readonly string[] = ["num_bands", "concat_pos"];

/** Python's error for an argument that a call does not have; null for a call that no release has, and for an argument of the release. */
export function unexpectedArgument({ caller, name }: { caller: string; name: string }): string | null {
  const [call] = CALLS.get(caller) ?? [];
  const argument = snakeCase(name);
  const isKnown = caller === "fourierFeatures" && FOURIER_ARGUMENTS.includes(argument);
  return call === undefined || isKnown
    ? null
    : `TypeError: ${call}() got an unexpected keyword argument '${argument}'`;
}

/** The argument of the release that an option is; null where the release has a default. */
const argumentOf = (caller: string, name: string): string | null => {
  const renamed = caller === "fourierFeatures" ? FOURIER.get(name) : undefined;
  return renamed === undefined ? snakeCase(name) : renamed;
};

/** Python's error for arguments that are left out; null for a call that no release has, or whose arguments all have a default there. */
export function missingArguments(facts: { caller: string; names: readonly string[] }): string | null {
  const { caller, names } = facts;
  const [call, takes] = CALLS.get(caller) ?? [];
  const missing = names.map((name) => argumentOf(caller, name)).filter((name) => name !== null);
  if (call === undefined || missing.length === 0) return null;
  const quoted = missing.map((name) => `'${name}'`);
  const last = quoted.pop();
  const list = [
    quoted.join(", "),
    ...(quoted.length > 1 ? [","] : []),
    quoted.length > 0 ? " and " : "",
    last,
  ];
  const noun = missing.length === 1 ? "argument" : "arguments";
  return `TypeError: ${call}() missing ${missing.length} required ${takes} ${noun}: ${list.join("")}`;
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
];

/** The release's error for the value of an argument. */
export function refusedValue(facts: { caller: string; name: string; value: unknown }): string | null {
  const { caller, name, value } = facts;
  const words = values[caller]?.[name] ?? (PROBABILITIES.includes(name) ? probabilityError : null);
  return words?.(value) ?? null;
}
