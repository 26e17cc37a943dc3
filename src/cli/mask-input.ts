// The input of `flamboyance mask`: prompts in words, files of ids, golden cases and safetensors files.
import { kindOf } from "#host";
import { conventionOfCase } from "../conformance/sources/interface/case-convention.ts";
import { readCase, under } from "../io/golden/cases.ts";
import { loadSafetensors, type Stored } from "../io/safetensors/read.ts";
import { MOST_BYTES, readIds } from "../io/token-ids.ts";
import {
  batchFrom,
  batchOf,
  type MaskBatch,
  markerOfIds,
  type Note,
  type SourceOptions,
} from "../mask-report/batch.ts";
import { noteSentence, promptNotes } from "../mask-report/notes.ts";
import type { SampleLengths } from "../mask-report/samples.ts";
import type { Tiles } from "../masks/counting/tiles.ts";
import type { ImageMarker } from "../masks/prompts/image-markers.ts";
import { readPrompts, tokensOfIds, wordsOf } from "../masks/prompts/prompt.ts";
import { counted } from "../masks/sentences.ts";
import { LoadError } from "../tensor/errors.ts";
import { listOption, oneOf, optionalWhole, type readArguments, wholeOption } from "./arguments.ts";
import { readInput } from "./input-bytes.ts";
import { UsageError } from "./usage-error.ts";

export const MASK_OPTIONS = {
  images: { type: "string" },
  convention: { type: "string" },
  against: { type: "string" },
  cached: { type: "boolean", default: false },
  known: { type: "string" },
  pad: { type: "string", default: "right" },
  ids: { type: "string" },
  "image-token": { type: "string" },
  "image-length": { type: "string", default: "1" },
  "end-token": { type: "string" },
  "pad-token": { type: "string" },
  "num-tiles": { type: "string" },
  "max-num-tiles": { type: "string" },
  segments: { type: "string" },
  trace: { type: "string" },
  latents: { type: "string", default: "1" },
  ascii: { type: "boolean", default: false },
  json: { type: "boolean", default: false },
  help: { type: "boolean", default: false },
} as const;

export type MaskValues = ReturnType<typeof readArguments<typeof MASK_OPTIONS>>["values"];

/** The largest number of images, tiles or latents. */
export const MOST = 4096;
/** The largest number of tokens that stand for one image. */
const LONGEST_MARKER = 64;

const WORDS_ONLY = ["end-token", "pad-token", "trace"] as const;

/** One list of an option for each prompt, separated by semicolons. */
const lists = <T>(text: string, read: (word: string) => T): T[][] =>
  text.split(";").map((list) => listOption(list, read));

function idOption(option: string, text: string): number {
  const id = Number(text);
  if (/^-?\d+$/.test(text) && Number.isSafeInteger(id)) return id;
  throw new UsageError(`--${option} is a whole number, not "${text}"`);
}

const optionalId = (option: string, text: string | undefined): number | undefined =>
  text === undefined ? undefined : idOption(option, text);

/** The id of the image's token, or several that stand for one image. */
function imageIds(text: string): number | number[] {
  const ids = listOption(text, (word) => idOption("image-token", word));
  if (ids.length > LONGEST_MARKER)
    throw new UsageError(`--image-token has at most ${LONGEST_MARKER} ids, not ${ids.length}`);
  return ids.length === 1 ? (ids[0] ?? 0) : ids;
}

const imageLength = (values: MaskValues): ImageMarker["length"] =>
  values["image-length"] === "run" ? "run" : wholeOption("image-length", values["image-length"], 1);

const imageCounts = ({ images }: MaskValues): number[] | undefined =>
  images === undefined ? undefined : listOption(images, (n) => wholeOption("images", n, 0, MOST));

/** The samples of each prompt: "end", or lengths. */
function sampleLengths({ segments }: MaskValues): SampleLengths[] | undefined {
  if (segments === undefined) return undefined;
  return segments === "end" ? ["end"] : lists(segments, (n) => wholeOption("segments", n, 1));
}

/** The tiles of the images; undefined where the options do not name them. */
function tilesOption(values: MaskValues): Tiles | undefined {
  const most = optionalWhole("max-num-tiles", values["max-num-tiles"], 1, MOST) ?? 4; // max_num_tiles of Llama 3.2 Vision
  const { "num-tiles": counts } = values;
  if (counts === undefined && values["max-num-tiles"] !== undefined)
    throw new UsageError("--max-num-tiles needs --num-tiles, the number of tiles of each image");
  return counts === undefined
    ? undefined
    : { most, counts: lists(counts, (n) => wholeOption("num-tiles", n, 1, most)) };
}

/** The tiles for each prompt of a batch: as many numbers as the prompt has images, or image tokens. */
function tilesFor({ prompts, real }: MaskBatch, { most, counts }: Tiles): Tiles {
  const all = prompts.map((prompt, b) => {
    const list = counts[b] ?? counts.at(-1) ?? [];
    const tokens = prompt.filter(({ kind }) => kind === 1).length;
    if (list.length !== real[b] && list.length !== tokens)
      throw new UsageError(
        `--num-tiles has ${list.length} numbers for prompt ${b}, which has ${real[b]} images`,
      );
    return list;
  });
  return { most, counts: all };
}

/** The batch that the options and positionals describe. `own`: the image token of the convention's codebase. `literal`: positionals are prompts. */
export function batchFor(
  values: MaskValues,
  positionals: readonly string[],
  own: string | undefined,
  literal: boolean,
): MaskBatch {
  const batch = batchIn(values, positionals, own, literal);
  checkCounts(values, batch);
  const tiles = tilesOption(values);
  return tiles && batch.tiles === null ? { ...batch, tiles: tilesFor(batch, tiles) } : batch;
}

/** Options with an entry for each prompt have no more entries than there are prompts. */
function checkCounts(values: MaskValues, { prompts }: MaskBatch): void {
  const lengths = sampleLengths(values);
  const given = { images: imageCounts(values), segments: lengths, "num-tiles": tilesOption(values)?.counts };
  for (const [option, entries] of Object.entries(given))
    if (entries && entries.length > prompts.length)
      throw new UsageError(
        `--${option} is for ${counted(entries.length, "prompt")}, but there ${prompts.length === 1 ? "is" : "are"} ${prompts.length}`,
      );
}

function batchIn(
  values: MaskValues,
  positionals: readonly string[],
  own: string | undefined,
  literal: boolean,
): MaskBatch {
  const [first, second] = positionals;
  if (values.ids !== undefined) {
    if (first !== undefined) throw new UsageError("give prompts or --ids FILE, not both");
    return fromIds(values, values.ids);
  }
  if (first === undefined)
    throw new UsageError('mask needs a prompt, such as "A cat: <image> done"; or --ids FILE');
  if (second === undefined && !literal && isPath(first)) return fromPath(values, first);
  const batch = fromWords(values, positionals, own);
  const notes = literal ? [] : positionals.flatMap(pathNote);
  return { ...batch, notes: [...notes, ...batch.notes] };
}

/** Whether a word has the form of a path: no prompt with an image token has it. */
const looksLikePath = (word: string): boolean =>
  /^[^\s<]+$/.test(word) && (/\.safetensors$|^\.{1,2}\//.test(word) || (word.match(/\//g)?.length ?? 0) > 1);

/** Whether the only argument is a file or folder: it exists, or it has the form of a path. */
const isPath = (word: string): boolean => kindOf(word) !== "nothing" || looksLikePath(word);

/** A note on a prompt that may have been meant as a path: in a batch, a word that exists; alone, a word with a slash. */
function pathNote(word: string): Note[] {
  if (/[\s<]/.test(word)) return [];
  const exists = kindOf(word) !== "nothing";
  return exists || word.includes("/") ? [{ kind: "path", word, exists }] : [];
}

function fromWords(values: MaskValues, texts: readonly string[], own: string | undefined): MaskBatch {
  for (const option of WORDS_ONLY)
    if (values[option] !== undefined)
      throw new UsageError(`--${option} needs --ids FILE, a case or a trace, not a prompt in words`);
  const named = values["image-token"];
  const length = imageLength(values);
  const text = readPrompts(texts, { own, imageToken: named, imageLength: length });
  const { prompts, imageToken } = text;
  if (prompts.some((prompt) => prompt.length === 0))
    throw new UsageError("a prompt is empty; write words or <image>");
  const marker = { text: imageToken, tokens: wordsOf(imageToken).length, length };
  if (marker.tokens === 0 || marker.tokens > LONGEST_MARKER)
    throw new UsageError(`--image-token has 1 to ${LONGEST_MARKER} tokens, not ${marker.tokens}`);
  if (named !== undefined && !prompts.flat().some(({ kind }) => kind === 1))
    throw new UsageError(`--image-token "${named}" occurs in no prompt; ids are read with --ids FILE`);
  const batch = batchOf(prompts, { ...batchOptions(values), marker });
  return { ...batch, notes: [...promptNotes(text), ...batch.notes] };
}

const batchOptions = (values: MaskValues) => ({
  pad: oneOf("pad", values.pad, ["left", "right"]),
  images: imageCounts(values),
  samples: sampleLengths(values),
});

function fromIds(values: MaskValues, file: string): MaskBatch {
  const named = values["image-token"];
  if (named === undefined) throw new UsageError("--ids needs --image-token ID, the id of the image's token");
  if (values.trace !== undefined)
    throw new UsageError("--trace needs a case or a .safetensors file, not --ids FILE");
  const [image, length] = [imageIds(named), imageLength(values)];
  const special = {
    image,
    imageLength: length,
    end: optionalId("end-token", values["end-token"]),
    pad: optionalId("pad-token", values["pad-token"]),
  };
  const prompts = readIds(readInput(file, MOST_BYTES + 1), file).map((ids) => tokensOfIds(ids, special));
  return batchOf(prompts, { ...batchOptions(values), marker: markerOfIds(image, length) });
}

function tensorsOf(file: string): Map<string, Stored> {
  const opened = loadSafetensors(file);
  return new Map(opened.keys.map((key) => [key, opened.get(key)]));
}

/** A golden case's folder, or a trace: any safetensors file with inputs.* and perhaps taps.*. */
function fromPath(values: MaskValues, path: string): MaskBatch {
  const named = values["image-token"];
  const image = named === undefined ? undefined : imageIds(named);
  const tiles = tilesOption(values);
  const options: SourceOptions = {
    image,
    imageLength: imageLength(values),
    end: optionalId("end-token", values["end-token"]),
    pad: optionalId("pad-token", values["pad-token"]),
    images: imageCounts(values),
    samples: sampleLengths(values),
    tiles: tiles && ((batch) => tilesFor(batch, tiles)),
  };
  const trace = values.trace === undefined ? null : under("taps.", tensorsOf(values.trace));
  if (path.endsWith(".safetensors")) {
    const tensors = tensorsOf(path);
    const inputs = new Map([...tensors, ...under("inputs.", tensors)]);
    checkIdOptions(path, inputs, values);
    const taps = trace ?? under("taps.", tensors);
    return withTaps(values, batchFrom(path, inputs, taps, options), taps);
  }
  const folder = path.replace(/(?<=.)\/+$/, "");
  if (kindOf(`${folder}/case.json`) !== "file") throw notACase(path);
  const { manifest, inputs, expected } = readCase(folder);
  checkIdOptions(path, inputs, values);
  const given = Number(manifest.config.media_token_id ?? 3);
  const taps = trace ?? under("taps.", expected);
  const batch = batchFrom(manifest.id, inputs, taps, { ...options, image: image ?? given });
  if (trace) withTaps(values, batch, trace);
  return { ...batch, convention: conventionOfCase(manifest) };
}

const ID_OPTIONS = ["image-token", "end-token", "pad-token"] as const;

/** Image locations leave nothing to find in ids. */
function checkIdOptions(path: string, inputs: ReadonlyMap<string, Stored>, values: MaskValues): void {
  if (!inputs.has("media_locations")) return;
  const option = ID_OPTIONS.find((name) => values[name] !== undefined);
  if (option !== undefined || values["image-length"] !== "1")
    throw new UsageError(
      `${path} has media_locations, so that --${option ?? "image-length"} is not used; leave it out`,
    );
}

/** A batch with a note where a file has taps of which none is compared. Throws a LoadError if they were named. [prompt.attention] */
function withTaps(values: MaskValues, batch: MaskBatch, taps: ReadonlyMap<string, Stored>): MaskBatch {
  if (batch.attention) return batch;
  const note: Note = { kind: "no-weights", tensors: [...taps.keys()].map((key) => `taps.${key}`) };
  if (values.trace !== undefined) throw new LoadError(`${values.trace}: ${noteSentence(note)}`); // [prompt.attention]
  return taps.size > 0 ? { ...batch, notes: [...batch.notes, note] } : batch; // [prompt.attention]
}

/** A file or folder that cannot be shown, or a path that leads nowhere. */
function notACase(path: string): LoadError {
  const prompt = "write -- before it if it is a prompt";
  if (kindOf(path) === "file")
    return new LoadError(
      `${path} is a file, but no .safetensors file; read ids with --ids ${path}, or ${prompt}`,
    );
  if (kindOf(path) === "nothing")
    return new LoadError(`${path} is no case: there is no such file or folder; check the path, or ${prompt}`);
  return new LoadError(
    `${path} is no case: there is no case.json in it; name the folder of one case, or ${prompt}`,
  );
}
