// flamboyance mask

import { readFileSync } from "node:fs";
import { kindOf } from "#host";
import { conventionOfCase } from "../../conformance/sources/registry.ts";
import { readCase } from "../../io/golden/cases.ts";
import { readPrompts, tokensOfIds } from "../../io/prompt.ts";
import { loadSafetensors, type Stored } from "../../io/safetensors/read.ts";
import { readIds } from "../../io/token-ids.ts";
import {
  batchFrom,
  batchOf,
  defaultConvention,
  type MaskBatch,
  type SourceOptions,
} from "../../mask-report/batch.ts";
import { defaultKnown, maskDocument, maskReport } from "../../mask-report/report.ts";
import { maskText } from "../../mask-report/text.ts";
import { LoadError } from "../../tensor/errors.ts";
import {
  listOption,
  namedConvention,
  oneOf,
  optionalWhole,
  readArguments,
  wholeOption,
} from "../arguments.ts";
import { MASK } from "../help/mask.ts";
import { colourOn, widthOn, writeJson, writeOut } from "../terminal.ts";
import { UsageError } from "../usage-error.ts";

const OPTIONS = {
  images: { type: "string" },
  convention: { type: "string" },
  against: { type: "string" },
  cached: { type: "boolean", default: false },
  known: { type: "string" },
  pad: { type: "string", default: "right" },
  ids: { type: "string" },
  "image-token": { type: "string" },
  "end-token": { type: "string" },
  "pad-token": { type: "string" },
  trace: { type: "string" },
  latents: { type: "string", default: "1" },
  ascii: { type: "boolean", default: false },
  json: { type: "boolean", default: false },
  help: { type: "boolean", default: false },
} as const;

type Values = ReturnType<typeof readArguments<typeof OPTIONS>>["values"];

const MOST = 4096;

const counts = (text: string | undefined): number[] | undefined =>
  text === undefined ? undefined : listOption(text, (n) => wholeOption("images", n, 0, MOST));

/** Whether an argument is the path of a file or folder, or has the form of one. */
const isPath = (word: string): boolean =>
  /\.safetensors$|^\.{0,2}\/|^[\w.-]+(\/[\w.@-]+)+\/?$/.test(word) || kindOf(word) === "folder";

function fromIds(values: Values, file: string): MaskBatch {
  const image = values["image-token"];
  if (image === undefined) throw new UsageError("--ids needs --image-token ID, the id of the image's token");
  const special = {
    image: wholeOption("image-token", image),
    end: optionalWhole("end-token", values["end-token"]),
    pad: optionalWhole("pad-token", values["pad-token"]),
  };
  const prompts = readIds(read(file), file).map((ids) => tokensOfIds(ids, special));
  return batchOf(prompts, {
    pad: oneOf("pad", values.pad, ["left", "right"]),
    images: counts(values.images),
  });
}

function read(file: string): Uint8Array {
  try {
    return readFileSync(file === "-" ? 0 : file);
  } catch (error) {
    throw new LoadError(`cannot read ${file}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

const under = (prefix: string, all: ReadonlyMap<string, Stored>): Map<string, Stored> =>
  new Map(
    [...all]
      .filter(([key]) => key.startsWith(prefix))
      .map(([key, stored]) => [key.slice(prefix.length), stored]),
  );

function tensorsOf(file: string): Map<string, Stored> {
  const opened = loadSafetensors(file);
  return new Map(opened.keys.map((key) => [key, opened.get(key)]));
}

/** A golden case's folder, or a trace: any safetensors file with inputs.* and perhaps taps.*. */
function fromPath(values: Values, path: string): MaskBatch {
  const image = optionalWhole("image-token", values["image-token"]);
  const end = optionalWhole("end-token", values["end-token"]);
  const options: SourceOptions = { image, end, images: counts(values.images) };
  const trace = values.trace === undefined ? null : under("taps.", tensorsOf(values.trace));
  if (path.endsWith(".safetensors")) {
    const tensors = tensorsOf(path);
    const inputs = new Map([...tensors, ...under("inputs.", tensors)]);
    return batchFrom(path, inputs, trace ?? under("taps.", tensors), options);
  }
  const folder = path.replace(/(?<=.)\/+$/, "");
  if (kindOf(`${folder}/case.json`) !== "file")
    throw new LoadError(`${path} is no case: there is no case.json in it; name the folder of one case`);
  const { manifest, inputs, expected } = readCase(folder);
  const given = Number(manifest.config.media_token_id ?? 3);
  const batch = batchFrom(manifest.id, inputs, trace ?? under("taps.", expected), {
    ...options,
    image: image ?? given,
  });
  return { ...batch, convention: conventionOfCase(manifest) };
}

function batchFor(values: Values, positionals: readonly string[], own: string | undefined): MaskBatch {
  const [first, second] = positionals;
  if (values.ids !== undefined) {
    if (first !== undefined) throw new UsageError("give prompts or --ids FILE, not both");
    return fromIds(values, values.ids);
  }
  if (first === undefined)
    throw new UsageError('mask needs a prompt, such as "A cat: <image> done"; or --ids FILE');
  if (second === undefined && isPath(first)) return fromPath(values, first);
  for (const option of ["image-token", "end-token", "pad-token", "trace"] as const)
    if (values[option] !== undefined)
      throw new UsageError(`--${option} needs --ids FILE, a case or a trace, not a prompt in words`);
  const { prompts } = readPrompts(positionals, { own });
  if (prompts.some((prompt) => prompt.length === 0))
    throw new UsageError("a prompt is empty; write words or <image>");
  return batchOf(prompts, {
    pad: oneOf("pad", values.pad, ["left", "right"]),
    images: counts(values.images),
  });
}

export async function mask(args: readonly string[]): Promise<number> {
  const { values, positionals } = readArguments(args, OPTIONS);
  if (values.help) {
    writeOut(MASK);
    return 0;
  }
  const against = values.against === undefined ? null : namedConvention(values.against);
  const asked = values.convention === undefined ? null : namedConvention(values.convention);
  const latents = wholeOption("latents", values.latents, 1, MOST);
  const batch = batchFor(values, positionals, asked?.source.imageToken);
  const length = batch.prompts[0]?.length ?? 0;
  if (values.known !== undefined && !values.cached) throw new UsageError("--known needs --cached");
  const given =
    values.known === undefined ? defaultKnown(batch) : wholeOption("known", values.known, 1, length);
  const report = maskReport({
    batch,
    convention: asked ?? batch.convention ?? defaultConvention,
    against,
    known: values.cached ? given : null,
  });
  const colour = colourOn(process.stdout);
  const width = widthOn(process.stdout);
  if (values.json) writeJson(maskDocument(report));
  else writeOut(`${maskText(report, { colour, width, latents, ascii: values.ascii })}\n`);
  return 0;
}
