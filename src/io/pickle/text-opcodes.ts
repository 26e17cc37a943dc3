// The opcodes of protocol 0, whose arguments are lines of text.
import { type Machine, type Value, whole } from "./machine.ts";
import { Bytes, latin1Text } from "./values.ts";

/** Characters of a number, and of the name of a module, class or function. */
const [LONGEST_NUMBER, LONGEST_NAME] = [1000, 1000];

const number = (m: Machine): string => latin1Text(m.reader.line(LONGEST_NUMBER));

/** As a C compiler and Python read them alike: without a leading zero, which C takes for octal. */
function decimal(m: Machine, written: string): number | bigint {
  if (!/^[+-]?(0|[1-9]\d*)$/.test(written)) throw m.broken("has an integer that is not one");
  return whole(BigInt(written.replace(/^\+/, "")));
}

export function int(m: Machine): void {
  const written = number(m);
  const isBoolean = written === "00" || written === "01"; // as protocol 0 writes False and True
  m.push(isBoolean ? written === "01" : decimal(m, written));
}

export const long = (m: Machine): void => m.push(decimal(m, number(m).replace(/L$/, "")));

const SPECIAL = new Map([
  ["inf", Number.POSITIVE_INFINITY],
  ["-inf", Number.NEGATIVE_INFINITY],
  ["nan", Number.NaN],
]);

export function float(m: Machine): void {
  const written = number(m);
  const special = SPECIAL.get(written);
  if (special === undefined && !/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(written))
    throw m.broken("has a number that is not one");
  m.push(special ?? Number(written));
}

const ESCAPES: Readonly<Record<string, string>> = {
  n: "\n",
  r: "\r",
  t: "\t",
  "\\": "\\",
  "'": "'",
  '"': '"',
};

/** A string of Python 2, with the escapes of its repr. */
export function quotedString(m: Machine): void {
  const line = latin1Text(m.reader.line(Number.POSITIVE_INFINITY));
  const [quote] = line;
  if (line.length < 2 || !line.endsWith(quote ?? "") || (quote !== "'" && quote !== '"'))
    throw m.broken("has a string without quotes");
  const written = line.slice(1, -1);
  const unescaped = written.replace(/\\(x[0-9a-fA-F]{2}|[\s\S]?)/g, (_, escaped: string) => {
    if (escaped.length === 3) return String.fromCharCode(Number.parseInt(escaped.slice(1), 16));
    const known = ESCAPES[escaped];
    if (known === undefined) throw m.broken("has a string with an unknown escape");
    return known;
  });
  m.push(fromOldString(unescaped));
}

/** A string of Python 2 is a text if it is ASCII, as names are, else bytes. */
export const fromOldString = (text: string): Value => (/^\p{ASCII}*$/u.test(text) ? text : new Bytes(text));

/** A text in Latin-1 with the escapes \uXXXX and \UXXXXXXXX; another backslash, and the character after it, stand for themselves. */
export function escapedText(m: Machine): void {
  const line = latin1Text(m.reader.line(Number.POSITIVE_INFINITY));
  const text = line.replace(/\\(u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[\s\S])/g, (both, escaped: string) => {
    if (escaped.length === 1) {
      if (escaped === "u" || escaped === "U") throw m.broken("has a text with half of an escape");
      return both;
    }
    const point = Number.parseInt(escaped.slice(1), 16);
    const isCharacter = point <= 0x10ffff && (point < 0xd800 || point > 0xdfff);
    if (!isCharacter) throw m.broken("has a text with an escape that is no character");
    return String.fromCodePoint(point);
  });
  m.push(text);
}

/** A global name: module and name, a line each. */
export function global(m: Machine): void {
  const [module, name] = [latin1Text(m.reader.line(LONGEST_NAME)), latin1Text(m.reader.line(LONGEST_NAME))];
  m.push(m.find(module, name));
}

/** An index of the memo. */
export function index(m: Machine): number {
  const value = decimal(m, number(m));
  if (typeof value !== "number" || value < 0) throw m.broken("has an impossible index of its memo");
  return value;
}

/** An old-style class; no library writes tensors with it. */
export function instance(m: Machine): void {
  const module = latin1Text(m.reader.line(LONGEST_NAME));
  m.find(module, latin1Text(m.reader.line(LONGEST_NAME)));
  throw m.broken("creates an object of a class");
}

export function persistent(m: Machine): void {
  m.reader.line(LONGEST_NAME);
  throw m.broken("refers by a text to an object outside of it");
}
