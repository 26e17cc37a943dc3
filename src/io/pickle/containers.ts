// The names of Python's own containers and of wrappers around them.
import { Callable, described, type Machine, type Value } from "./machine.ts";
import { Bytes, type Key, LongText, Named, OrderedDict, type PickleValue } from "./values.ts";

/** The arguments, if there are as many as allowed. */
export function checkCount(
  m: Machine,
  name: string,
  args: readonly Value[],
  least: number,
  most = least,
): void {
  if (args.length >= least && args.length <= most) return;
  throw m.broken(`calls ${name} with ${args.length} arguments`);
}

const isList = (value: Value | undefined): value is readonly PickleValue[] => Array.isArray(value);

/** OrderedDict() or OrderedDict([[key, value], …]), as Python 2 writes it. */
function orderedDict(args: readonly Value[], m: Machine): Value {
  checkCount(m, "OrderedDict", args, 0, 1);
  const made = new OrderedDict<PickleValue>();
  const [items] = args;
  if (items === undefined) return made;
  if (!isList(items)) throw m.broken(`makes an OrderedDict of ${described(items)}`);
  m.copy(items.length);
  for (const pair of items) {
    if (!isList(pair) || pair.length !== 2) throw m.broken("makes an OrderedDict of items that are no pairs");
    made.set(m.key(pair[0] ?? null), pair[1] ?? null);
  }
  return made;
}

/** Counter(dict), in which schedulers keep their milestones. */
function counter(args: readonly Value[], m: Machine): Value {
  checkCount(m, "Counter", args, 0, 1);
  const [counts = new Map<Key, PickleValue>()] = args;
  if (!(counts instanceof Map)) throw m.broken(`makes a Counter of ${described(counts)}`);
  m.copy(counts.size);
  return new Map(counts);
}

function set(args: readonly Value[], m: Machine): Value {
  checkCount(m, "set", args, 0, 1);
  const [members = []] = args;
  if (!isList(members)) throw m.broken(`makes a set of ${described(members)}`);
  m.copy(members.length);
  return new Set(members.map((member) => m.key(member)));
}

function frozenSet(args: readonly Value[], m: Machine): Value {
  return Object.freeze(set(args, m)) as Value;
}

/** _codecs.encode(text, "latin1"): how protocols 0 to 2 write bytes. */
function encode(args: readonly Value[], m: Machine): Value {
  checkCount(m, "_codecs.encode", args, 2);
  const [text, encoding] = args;
  if (encoding !== "latin1" && encoding !== "latin-1") throw m.broken("encodes a text, but not in Latin-1");
  return bytesOf(text, m);
}

function bytesOf(text: Value | undefined, m: Machine): Bytes {
  if (typeof text !== "string" && !(text instanceof LongText))
    throw m.broken(`takes ${described(text ?? null)} for a text`);
  return new Bytes(text);
}

/** bytearray(bytes) or bytearray(text, "latin-1"). */
function byteArray(args: readonly Value[], m: Machine): Value {
  checkCount(m, "bytearray", args, 0, 2);
  if (args.length === 2) return encode(args, m);
  const [source = new Bytes("")] = args;
  if (!(source instanceof Bytes)) throw m.broken(`makes a bytearray of ${described(source)}`);
  return source;
}

/** bytes() is empty: how Python 3 writes b"" in protocols 0 to 2. */
function bytes(args: readonly Value[], m: Machine): Value {
  checkCount(m, "bytes", args, 0);
  return new Bytes("");
}

/** haiku's immutable dictionary around a dict; its parameters are such dictionaries. */
function flatMap(args: readonly Value[], m: Machine): Value {
  checkCount(m, "FlatMapping", args, 1);
  const [dict] = args;
  if (!(dict instanceof Map)) throw m.broken(`makes a FlatMapping of ${described(dict ?? null)}`);
  return dict;
}

/** complex(real, imaginary), kept as a text: nothing here computes with it. */
function complex(args: readonly Value[], m: Machine): Value {
  checkCount(m, "complex", args, 2);
  if (!args.every((part) => typeof part === "number"))
    throw m.broken("has a complex number without two parts");
  return new Named("complex", `${args[0]}+${args[1]}j`);
}

const functions: readonly (readonly [names: readonly string[], call: Callable["call"]])[] = [
  [["collections.OrderedDict"], orderedDict],
  [["collections.Counter"], counter],
  [["builtins.set", "__builtin__.set"], set],
  [["builtins.frozenset", "__builtin__.frozenset"], frozenSet],
  [["builtins.bytearray", "__builtin__.bytearray"], byteArray],
  [["builtins.bytes", "__builtin__.bytes"], bytes],
  [["builtins.complex", "__builtin__.complex"], complex],
  [["_codecs.encode"], encode],
  // https://github.com/google-deepmind/dm-haiku, haiku/_src/data_structures.py
  [["haiku._src.data_structures.FlatMapping", "haiku._src.data_structures.FlatMap"], flatMap],
];

/** A table from names to callables. */
export const table = (entries: typeof functions): ReadonlyMap<string, Value> =>
  new Map(entries.flatMap(([names, call]) => names.map((name) => [name, new Callable(name, call)])));

export const containers = table(functions);

/** Sets attributes of a dictionary, such as the versions of modules (`_metadata`) of a state dict, which are not kept. */
export const buildContainer = (object: Value, state: Value): boolean =>
  object instanceof OrderedDict && state instanceof Map;
