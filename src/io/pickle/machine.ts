// The stack machine that runs a pickle (Python's Lib/pickle.py and pickletools.py describe the opcodes). It builds plain data, and
// calls only what a table of names offers; nothing of Python is imported or run.
import type { ByteSource } from "#host";
import type { LoadError } from "../../tensor/errors.ts";
import { quoted } from "../wording.ts";
import { type Fail, PickleReader } from "./reader.ts";
import {
  Bytes,
  type Key,
  LongText,
  Named,
  NotRead,
  NumpyDtype,
  type PickleValue,
  StoredArray,
} from "./values.ts";

/** What stands on the stack: data, and what only the table of names can use. */
export type Value = PickleValue | Opaque;

/** A class, a function, or an unfinished object of the table of names. It is never part of the result. */
export class Opaque {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }
}

/** A function that a pickle may call. */
export class Callable extends Opaque {
  readonly call: (args: readonly Value[], machine: Machine) => Value;

  constructor(name: string, call: Callable["call"]) {
    super(name);
    this.call = call;
  }
}

export interface Names {
  /** The value of a global name; null if it is not allowed. */
  readonly find: (name: string) => Value | null;
  /** The object with a persistent id; null if the id is not one of this format. */
  readonly persistent: (id: Value, machine: Machine) => Value | null;
  /** Sets the state of an object. False if it has none. */
  readonly build: (object: Value, state: Value, machine: Machine) => boolean;
}

/** Elements that calls may copy for nothing; a longer copy is paid for by the length of the pickle. */
const SMALL = 16;

export class Machine {
  readonly reader: PickleReader;
  readonly names: Names;
  readonly memo = new Map<number, Value>();
  readonly fail: Fail;
  readonly #stack: Value[] = [];
  /** Heights of the stack at its marks. */
  readonly #marks: number[] = [];
  #copies: number;

  constructor(source: ByteSource, names: Names, fail: Fail) {
    this.reader = new PickleReader(source, fail);
    this.names = names;
    this.fail = fail;
    this.#copies = source.size;
  }

  broken(problem: string): LoadError {
    return this.fail(
      `the pickle ${problem}, at byte ${this.reader.at}; write the file again`,
      "pickle.opcodes",
    );
  }

  /** Values above the last mark. */
  get #above(): number {
    return this.#stack.length - (this.#marks.at(-1) ?? 0);
  }

  push(value: Value): void {
    this.#stack.push(value);
  }

  pop(): Value {
    if (this.#above < 1) throw this.broken("takes a value from an empty stack");
    return this.#stack.pop() as Value;
  }

  top(): Value {
    if (this.#above < 1) throw this.broken("reads a value from an empty stack");
    return this.#stack.at(-1) as Value;
  }

  mark(): void {
    this.#marks.push(this.#stack.length);
  }

  /** Whether the last mark is on top. */
  get isAtMark(): boolean {
    return this.#marks.length > 0 && this.#above === 0;
  }

  /** The values above the last mark, which are removed together with it. */
  popMark(): Value[] {
    const mark = this.#marks.pop();
    if (mark === undefined) throw this.broken("looks for a mark that is not there");
    return this.#stack.splice(mark);
  }

  /** Allows a call to copy `n` elements. All copies together may be as many as the pickle has bytes. [pickle.memory] */
  copy(n: number): void {
    if (n <= SMALL) return;
    this.#copies -= n;
    if (this.#copies < 0)
      throw this.fail(
        "the pickle copies the same values again and again; this is no file of a library",
        "pickle.memory",
      );
  }

  /** The value of a global name. [pickle.globals] */
  find(module: string, name: string): Value {
    const found = this.names.find(`${module}.${name}`);
    if (found !== null) return found;
    throw this.fail(refusedName(`${module}.${name}`), "pickle.globals");
  }

  call(callable: Value, args: Value): Value {
    if (!(callable instanceof Callable)) throw this.broken(`calls ${described(callable)}`);
    if (!Array.isArray(args) || !Object.isFrozen(args))
      throw this.broken(`calls ${callable.name} with arguments that are no tuple`);
    return callable.call(args, this);
  }

  build(object: Value, state: Value): void {
    if (!this.names.build(object, state, this)) throw this.broken(`sets the state of ${described(object)}`);
  }

  /** A value as a key of a dictionary or a member of a set. [pickle.keys] */
  key(value: Value): Key {
    if (typeof value === "string" || value === null) return value;
    if (typeof value === "boolean") return Number(value);
    if (typeof value === "number" && Number.isSafeInteger(value) && !Object.is(value, -0)) return value;
    const problem = `has ${described(value)} as the key of a dictionary or in a set`;
    throw this.fail(`the pickle ${problem}; keys are texts, integers or None here`, "pickle.keys");
  }
}

/** Libraries whose objects are often pickled, and what to do instead. */
const REMEDIES: readonly (readonly [module: RegExp, remedy: string])[] = [
  [/^(sklearn|joblib)\./, "it is a model of scikit-learn or joblib, which is read in Python only"],
  [
    /^(jax|jaxlib|flax|haiku|optax|chex|numpy)\./,
    "turn it into a dictionary of numpy arrays in Python, and dump that with pickle",
  ],
  [/^(pandas)\./, "it is a table of pandas, which is read in Python only"],
  [
    /^(argparse|omegaconf|pathlib|transformers)\./,
    "delete the entry in Python, or turn it into plain numbers and texts, and save again",
  ],
];

function refusedName(name: string): string {
  const remedy =
    REMEDIES.find(([module]) => module.test(name))?.[1] ??
    "save a state dict in Python: torch.save(model.state_dict(), …)";
  return `the pickle uses ${quoted(name)}; only tensors, arrays and plain data are built, never other classes or functions; ${remedy}`;
}

/** What kind of value this is, for errors. */
export function described(value: Value): string {
  if (value === null) return "None";
  if (Array.isArray(value)) return Object.isFrozen(value) ? "a tuple" : "a list";
  if (value instanceof Map) return "a dict";
  if (value instanceof Set) return "a set";
  if (value instanceof Opaque) return value.name;
  if (value instanceof StoredArray || value instanceof NotRead) return "an array";
  if (value instanceof Bytes) return "bytes";
  if (value instanceof LongText || typeof value === "string") return "a text";
  if (value instanceof Named) return `a ${value.kind}`;
  if (value instanceof NumpyDtype) return "a numpy.dtype";
  return typeof value === "boolean" ? "True or False" : "a number";
}

/** Adds keys and values, in turn, to a dictionary. */
export function setItems(machine: Machine, dict: Value, items: readonly Value[]): void {
  if (!(dict instanceof Map)) throw machine.broken(`puts items into ${described(dict)}`);
  if (items.length % 2 === 1) throw machine.broken("has a key without a value");
  for (let i = 0; i < items.length; i += 2)
    dict.set(machine.key(items[i] as Value), items[i + 1] as PickleValue);
}

/** Appends to a list. */
export function append(machine: Machine, list: Value, items: readonly Value[]): void {
  if (!Array.isArray(list) || Object.isFrozen(list)) throw machine.broken(`appends to ${described(list)}`);
  for (const item of items) list.push(item);
}

/** A whole number: a bigint beyond 2⁵³. */
export function whole(value: bigint): number | bigint {
  const short = Number(value);
  return Number.isSafeInteger(short) ? short : value;
}

export const tuple = (items: Value[]): Value => Object.freeze(items) as readonly PickleValue[];
