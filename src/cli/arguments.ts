// Reading the command line: unknown or contradictory options are usage errors that name the remedy.
import { type ParseArgsConfig, parseArgs } from "node:util";
import { type Convention, conventionOf } from "../masks/conventions/conventions.ts";
import { UsageError } from "./help/usage.ts";

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
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true, strict: true });
  } catch (error) {
    throw new UsageError(
      error instanceof Error ? error.message.replace(/\. To specify.*/s, "") : String(error),
    );
  }
}

/** One of a few words, or a usage error that lists them. */
export function oneOf<const T extends string>(option: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((word) => word === value);
  if (found === undefined)
    throw new UsageError(`--${option} is one of ${allowed.join(", ")}, not "${value}"`);
  return found;
}

/** A whole number within bounds, or a usage error that says which. */
export function wholeOption(option: string, text: string, least = 0, most = Number.MAX_SAFE_INTEGER): number {
  const n = Number(text);
  if (/^\d+$/.test(text) && n >= least && n <= most) return n;
  const bounds = most === Number.MAX_SAFE_INTEGER ? `from ${least} up` : `from ${least} to ${most}`;
  throw new UsageError(`--${option} is a whole number ${bounds}, not "${text}"`);
}

/** By name; a name that nothing or too much has is a mistake of the command line. */
export function namedConvention(name: string): Convention {
  try {
    return conventionOf(name);
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}
