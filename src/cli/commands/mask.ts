// flamboyance mask
import { defaultConvention, type MaskBatch } from "../../mask-report/batch.ts";
import { maskDocument } from "../../mask-report/document.ts";
import { MOST_DECODED } from "../../mask-report/limits.ts";
import { defaultKnown, maskReport } from "../../mask-report/report.ts";
import { maskText } from "../../mask-report/text.ts";
import { LoadError } from "../../tensor/errors.ts";
import { namedConvention, readArguments, wholeOption } from "../arguments.ts";
import { MASK } from "../help/mask.ts";
import { batchFor, MASK_OPTIONS, type MaskValues, MOST } from "../mask-input.ts";
import { colourOn, widthOn, writeJson, writeOut } from "../terminal.ts";
import { UsageError } from "../usage-error.ts";

/**
 * Separates options from prompts. An option is --name, with its value after = or in the next argument; everything else is a
 * prompt, also where it begins with a dash, and so is everything after --. A single word such as -h stays an option, which does
 * not exist.
 */
function separated(args: readonly string[]): { readonly args: string[]; readonly literal: boolean } {
  const end = args.indexOf("--");
  const before = end < 0 ? args : args.slice(0, end);
  const options: string[] = [];
  const prompts: string[] = [];
  for (let i = 0; i < before.length; i++) {
    const word = before[i] ?? "";
    const [, name] = /^--([a-z][a-z-]*)$/.exec(word) ?? [];
    const takesValue =
      name !== undefined && MASK_OPTIONS[name as keyof typeof MASK_OPTIONS]?.type === "string";
    const next = before[i + 1];
    if (takesValue && next !== undefined && !/^--[a-z]/.test(next)) {
      options.push(`${word}=${next}`);
      i++;
    } else if (/^--[a-z][a-z-]*(=|$)|^-[a-z]+$/i.test(word)) options.push(word);
    else prompts.push(word);
  }
  const literal = end < 0 ? [] : args.slice(end + 1);
  return { args: [...options, "--", ...prompts, ...literal], literal: literal.length > 0 };
}

/** The number of positions that are known when decoding begins; null without --cached. */
function knownIn(values: MaskValues, batch: MaskBatch): number | null {
  const [prompts = 0, length = 0] = batch.locations.shape;
  if (!values.cached) {
    if (values.known !== undefined) throw new UsageError("--known needs --cached");
    return null;
  }
  if (prompts * length > MOST_DECODED)
    throw new LoadError(
      `--cached decodes at most ${MOST_DECODED.toLocaleString("en")} positions, but there are ${prompts * length}; give a shorter prompt`,
    );
  return values.known === undefined ? defaultKnown(batch) : wholeOption("known", values.known, 1, length);
}

/** The columns of each image: a whole number for each tile. */
function latentsIn(values: MaskValues, { tiles }: MaskBatch): number {
  const latents = wholeOption("latents", values.latents, 1, MOST);
  if (tiles && latents > 1 && latents % tiles.most !== 0)
    throw new UsageError(`--latents is a multiple of the ${tiles.most} tiles of an image, not ${latents}`);
  return latents;
}

export async function mask(given: readonly string[]): Promise<number> {
  const { args, literal } = separated(given);
  const { values, positionals } = readArguments(args, MASK_OPTIONS);
  if (values.help) {
    writeOut(MASK);
    return 0;
  }
  const against = values.against === undefined ? null : namedConvention(values.against);
  const asked = values.convention === undefined ? null : namedConvention(values.convention);
  const batch = batchFor(values, positionals, asked?.source.imageToken, literal);
  const convention = asked ?? batch.convention ?? defaultConvention;
  const latents = latentsIn(values, batch);
  const report = maskReport({ batch, convention, against, known: knownIn(values, batch) });
  if (values.json) writeJson(maskDocument(report));
  else {
    const [colour, width] = [colourOn(process.stdout), widthOn(process.stdout)];
    writeOut(`${maskText(report, { colour, width, latents, ascii: values.ascii })}\n`);
  }
  return 0;
}
