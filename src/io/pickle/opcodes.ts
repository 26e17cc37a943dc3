// The opcodes of protocols 0 to 5 (Python's Lib/pickletools.py describes them).
import { utf8 } from "../wording.ts";
import { append, described, type Machine, setItems, tuple, type Value, whole } from "./machine.ts";
import * as lines from "./text-opcodes.ts";
import { Bytes, LongText, latin1Text, type PickleValue } from "./values.ts";

export type Opcode = (machine: Machine) => void;

/** Texts up to this many bytes are decoded at once. */
const SHORT = 1 << 16;
/** Bytes of an integer. */
const LONGEST_INTEGER = 1024;

const pushed =
  (value: () => Value): Opcode =>
  (m) =>
    m.push(value());

const text =
  (width: number): Opcode =>
  (m) => {
    const length = m.reader.unsigned(width);
    if (length > SHORT) return m.push(new LongText(m.reader.range(length)));
    const value = utf8(m.reader.take(length));
    if (value === null) throw m.broken("has a text that is not UTF-8");
    m.push(value);
  };

const bytes =
  (width: number): Opcode =>
  (m) =>
    m.push(new Bytes(m.reader.range(m.reader.unsigned(width))));

const oldString =
  (length: (m: Machine) => number): Opcode =>
  (m) => {
    const n = length(m);
    if (n < 0) throw m.broken("has a string of negative length");
    m.push(n > SHORT ? new Bytes(m.reader.range(n)) : lines.fromOldString(latin1Text(m.reader.take(n))));
  };

/** A signed integer, the lowest byte first. */
const long =
  (width: number): Opcode =>
  (m) => {
    const length = m.reader.unsigned(width);
    if (length > LONGEST_INTEGER)
      throw m.fail(
        `the pickle has an integer of ${length} bytes, more than ${LONGEST_INTEGER}`,
        "pickle.bounds",
      );
    const digits = Array.from(m.reader.take(length), (byte) => byte.toString(16).padStart(2, "0")).reverse();
    m.push(length === 0 ? 0 : whole(BigInt.asIntN(8 * length, BigInt(`0x${digits.join("")}`))));
  };

const tupleOf =
  (n: number): Opcode =>
  (m) =>
    m.push(tuple(Array.from({ length: n }, () => m.pop()).reverse()));

const get =
  (index: (m: Machine) => number): Opcode =>
  (m) => {
    const value = m.memo.get(index(m));
    if (value === undefined) throw m.broken("reads an empty place of its memo");
    m.push(value);
  };

const put =
  (index: (m: Machine) => number): Opcode =>
  (m) =>
    void m.memo.set(index(m), m.top());

const unsigned =
  (width: number) =>
  (m: Machine): number =>
    m.reader.unsigned(width);

function stackGlobal(m: Machine): void {
  const [name, module] = [m.pop(), m.pop()];
  if (typeof name !== "string" || typeof module !== "string")
    throw m.broken(`looks up ${described(name)} in ${described(module)}`);
  m.push(m.find(module, name));
}

function reduce(m: Machine): void {
  const args = m.pop();
  m.push(m.call(m.pop(), args));
}

function build(m: Machine): void {
  const state = m.pop();
  m.build(m.top(), state);
}

function persistent(m: Machine): void {
  const value = m.names.persistent(m.pop(), m);
  if (value === null) throw m.broken("refers to an object outside of it");
  m.push(value);
}

function dict(m: Machine): void {
  const items = m.popMark();
  const made = new Map<never, never>() as Value;
  setItems(m, made, items);
  m.push(made);
}

function addItems(m: Machine): void {
  const items = m.popMark();
  const set = m.top();
  if (!(set instanceof Set) || Object.isFrozen(set)) throw m.broken(`adds members to ${described(set)}`);
  for (const item of items) set.add(m.key(item));
}

function list(m: Machine): void {
  m.push(m.popMark() as PickleValue[]);
}

function setItem(m: Machine): void {
  const [value, key] = [m.pop(), m.pop()];
  setItems(m, m.top(), [key, value]);
}

function appendOne(m: Machine): void {
  const item = m.pop();
  append(m, m.top(), [item]);
}

function appendAll(m: Machine): void {
  const items = m.popMark();
  append(m, m.top(), items);
}

function setAll(m: Machine): void {
  const items = m.popMark();
  setItems(m, m.top(), items);
}

function protocol(m: Machine): void {
  const version = m.reader.byte();
  if (version <= 5) return;
  throw m.fail(
    `the pickle has protocol ${version}; 0 to 5 are read; dump it with protocol=5`,
    "pickle.opcodes",
  );
}

function frame(m: Machine): void {
  const length = m.reader.unsigned(8);
  m.reader.rest(length);
}

const refused =
  (problem: string): Opcode =>
  (m) => {
    throw m.broken(problem);
  };
const object = refused("creates an object of a class");
const extension = refused("uses a number in place of a name (copyreg.add_extension)");
const buffer = refused("keeps its bytes outside (buffer_callback of protocol 5)");

/** Opcodes by their character. */
const BY_CHARACTER: Readonly<Record<string, Opcode>> = {
  "(": (m) => m.mark(),
  "0": (m) => (m.isAtMark ? void m.popMark() : void m.pop()),
  "1": (m) => void m.popMark(),
  "2": (m) => m.push(m.top()),
  N: pushed(() => null),
  I: lines.int,
  J: (m) => m.push(m.reader.int32()),
  K: (m) => m.push(m.reader.byte()),
  M: (m) => m.push(m.reader.unsigned(2)),
  L: lines.long,
  F: lines.float,
  G: (m) => m.push(m.reader.float64()),
  S: lines.quotedString,
  T: oldString((m) => m.reader.int32()),
  U: oldString(unsigned(1)),
  V: lines.escapedText,
  X: text(4),
  B: bytes(4),
  C: bytes(1),
  ")": pushed(() => tuple([])),
  "]": pushed(() => []),
  "}": pushed(() => new Map()),
  t: (m) => m.push(tuple(m.popMark())),
  l: list,
  d: dict,
  a: appendOne,
  e: appendAll,
  s: setItem,
  u: setAll,
  c: lines.global,
  R: reduce,
  b: build,
  i: lines.instance,
  o: object,
  P: lines.persistent,
  Q: persistent,
  g: get(lines.index),
  h: get(unsigned(1)),
  j: get(unsigned(4)),
  p: put(lines.index),
  q: put(unsigned(1)),
  r: put(unsigned(4)),
};

/** Opcodes of protocols 2 to 5, from byte 0x80 on. */
const FROM_128: readonly Opcode[] = [
  protocol,
  object,
  extension,
  extension,
  extension,
  tupleOf(1),
  tupleOf(2),
  tupleOf(3),
  pushed(() => true),
  pushed(() => false),
  long(1),
  long(4),
  text(1),
  text(8),
  bytes(8),
  pushed(() => new Set()),
  addItems,
  (m) => m.push(Object.freeze(new Set(m.popMark().map((item) => m.key(item))))),
  object,
  stackGlobal,
  (m) => void m.memo.set(m.memo.size, m.top()),
  frame,
  bytes(8),
  buffer,
  buffer,
];

const STOP = 0x2e;

/** The opcode of a byte; "stop" for the end of a pickle, null for a byte that is none. */
export const opcodeOf = (byte: number): Opcode | "stop" | null =>
  byte === STOP ? "stop" : (FROM_128[byte - 0x80] ?? BY_CHARACTER[String.fromCharCode(byte)] ?? null);
