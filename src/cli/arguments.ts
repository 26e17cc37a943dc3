// Readers of the command line. A mistake in it becomes a usage error that names the option and the remedy.
import { type ParseArgsConfig, parseArgs } from "node:util";
import { createFolder } from "#host";
import { conventionOf, type NamedConvention } from "../masks/conventions/conventions.ts";
import { messageOf } from "../tensor/errors.ts";
import { didYouMean } from "../terminal/nearest.ts";
import { UsageError } from "./usage-error.ts";

type Options = NonNullable<ParseArgsConfig["options"]>;
interface Config<O extends Options> {
  readonly args: string[];
  readonly options: O;
  readonly allowPositionals: true;
  readonly strict: true;
}

export function readArguments<O extends Options>(
  args: readonly string[],
  options: O,
): ReturnType<typeof parseArgs<Config<O>>> {
  const config = { args: [...args], options, allowPositionals: true } as const;
  const given = new Set<string>();
  for (const token of parseArgs({ ...config, strict: false, tokens: true }).tokens) {
    if (token.kind !== "option") continue;
    if (!Object.hasOwn(options, token.name)) {
      const known = Object.keys(options).map((name) => `--${name}`);
      throw new UsageError(`there is no option "${token.rawName}"${didYouMean(token.rawName, known)}`);
    }
    const { type, multiple = false } = options[token.name] as Options[string];
    if (type === "string" && !multiple && given.has(token.name))
      throw new UsageError(`--${token.name} is given twice; give it once`);
    given.add(token.name);
  }
  try {
    return parseArgs({ ...config, strict: true });
  } catch (error) {
    throw new UsageError(messageOf(error).replace(/\. To specify.*/s, ""));
  }
}

/** One of a few words. */
export function oneOf<const T extends string>(option: string, value: string, allowed: readonly T[]): T {
  const match = allowed.find((word) => word === value);
  if (match === undefined)
    throw new UsageError(`--${option} is one of ${allowed.join(", ")}, not "${value}"`);
  return match;
}

/** A list of values separated by commas. */
export const listOption = <T>(text: string, read: (word: string) => T): T[] =>
  text.split(",").map((word) => read(word.trim()));

/** A whole number from `least` to `most`. */
export function wholeOption(option: string, text: string, least = 0, most = Number.MAX_SAFE_INTEGER): number {
  const n = Number(text);
  if (/^\d+$/.test(text) && n >= least && n <= most) return n;
  const bounds = most === Number.MAX_SAFE_INTEGER ? `from ${least} up` : `from ${least} to ${most}`;
  throw new UsageError(`--${option} is a whole number ${bounds}, not "${text}"`);
}

/** A whole number of an option that may be missing. */
export const optionalWhole = (
  option: string,
  text: string | undefined,
  least?: number,
  most?: number,
): number | undefined => (text === undefined ? undefined : wholeOption(option, text, least, most));

/** A number above 0. */
export function positiveOption(option: string, text: string): number {
  const x = Number(text);
  if (Number.isFinite(x) && x > 0) return x;
  throw new UsageError(`--${option} is a number above 0, not "${text}"`);
}

/** A number from 0 to 1. */
export function shareOption(option: string, text: string): number {
  const x = Number(text);
  if (text.trim() !== "" && x >= 0 && x <= 1) return x;
  throw new UsageError(`--${option} is a number from 0 to 1, not "${text}"`);
}

/** Any finite number. */
export function numberOption(option: string, text: string): number {
  const x = Number(text);
  if (text.trim() !== "" && Number.isFinite(x)) return x;
  throw new UsageError(`--${option} is a number, not "${text}"`);
}

/** A folder to write to. It is created, if it does not exist. */
export function folderOption(option: string, path: string): string {
  if (path === "") throw new UsageError(`--${option} is empty; name a folder`);
  createFolder(path);
  return path;
}

/** The convention with this name, or the only one whose name contains it. */
export function namedConvention(name: string): NamedConvention {
  try {
    return conventionOf(name);
  } catch (error) {
    throw new UsageError(messageOf(error));
  }
}
