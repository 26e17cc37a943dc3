// flamboyance digits caption
import { attentionOf, captionsOf, captionTexts, type Sampling } from "../../demos/digits/captioning.ts";
import { decode, IMAGE, VOCABULARY } from "../../demos/digits/captions.ts";
import { type Picture, readDigits } from "../../demos/digits/data.ts";
import { drawPictures } from "../../demos/digits/draw.ts";
import { writeDigits } from "../../demos/digits/evaluation/write.ts";
import { type DigitsModel, loadDigitsModel } from "../../demos/digits/model.ts";
import { greyOf, scan } from "../../demos/digits/scan.ts";
import { decodeImageFile } from "../../io/images/read.ts";
import type { Backend } from "../../kernels/backend.ts";
import type { Paint } from "../../terminal/colour.ts";
import { columnsFrom, percentCell, tables } from "../../terminal/table.ts";
import { folderOption, optionalWhole, positiveOption, readArguments, wholeOption } from "../arguments.ts";
import { openBackend } from "../backends.ts";
import { digitsFile, modelFile } from "../golden-files.ts";
import { DIGITS } from "../help/digits.ts";
import { paintOn, widthOn, writeJson, writeOut } from "../terminal.ts";
import { UsageError } from "../usage-error.ts";

const OPTIONS = {
  model: { type: "string" },
  sample: { type: "boolean", default: false },
  temperature: { type: "string" },
  "top-k": { type: "string" },
  seed: { type: "string" },
  attend: { type: "boolean", default: false },
  backend: { type: "string", default: "reference" },
  out: { type: "string" },
  count: { type: "string" },
  json: { type: "boolean", default: false },
  help: { type: "boolean", default: false },
} as const;

/** The resampler has this many media positions. */
const MOST = 4;

async function pictureNamed(name: string): Promise<Picture> {
  if (!/^\d+$/.test(name)) return scan(greyOf(await decodeImageFile(name)));
  const { heldOut } = readDigits(digitsFile());
  const picture = heldOut[Number(name)];
  if (!picture)
    throw new UsageError(`the numbers of held-out digits are 0 to ${heldOut.length - 1}, not ${name}`);
  return picture;
}

interface SamplingArguments {
  readonly sample: boolean;
  readonly temperature?: string | undefined;
  readonly "top-k"?: string | undefined;
  readonly seed?: string | undefined;
}

function samplingOf({ sample, temperature, "top-k": topK, seed }: SamplingArguments): Sampling {
  if (!sample && (temperature ?? topK ?? seed) !== undefined)
    throw new UsageError("--temperature, --top-k and --seed need --sample"); // [generate.options]
  if (!sample) return {};
  return {
    seed: wholeOption("seed", seed ?? "1"),
    temperature: positiveOption("temperature", temperature ?? "1"),
    topK: optionalWhole("top-k", topK, 1),
  };
}

/** A row for each token and a column for each layer: the share of attention to each image, in per cent. */
function attentionTable(
  tokens: readonly number[],
  layers: readonly (readonly (readonly number[])[])[],
  paint: Paint,
  width: number,
): string {
  const heads = layers.map((_, layer) => ({ head: [`layer ${layer}`], align: "right" }) as const);
  const rows = tokens.map((id, i) => [
    VOCABULARY[id] ?? "?",
    ...layers.map((table) => (table[i] ?? []).map((share) => percentCell(share).padStart(3)).join(" ")),
  ]);
  const lines = tables(columnsFrom([{ head: ["token"], gap: 2 }, ...heads], rows), paint, width);
  return ["", "Attention to each image, per cent", ...lines].join("\n"); // [generate.attend]
}

interface Generated {
  readonly captions: readonly string[];
  readonly tokens: readonly number[];
  /** [layer][token][image] */
  readonly attended: number[][][] | null;
}

async function caption(
  model: DigitsModel,
  pictures: readonly Picture[],
  sampling: Sampling,
  attend: boolean,
  backend: Backend,
): Promise<Generated> {
  const [captions = []] = await captionsOf(model, [pictures], backend, sampling);
  const tokens = captions.flatMap((words) => [IMAGE, ...words]);
  const attended = attend ? await attentionOf(model, tokens, pictures, backend) : null;
  return { captions: captions.map(decode), tokens, attended };
}

/** `digits write`: held-out digits as files for `evaluate`. */
async function write(
  values: ReturnType<typeof readArguments<typeof OPTIONS>>["values"],
  names: readonly string[],
): Promise<number> {
  if (names.length > 0)
    throw new UsageError(`digits write takes options only, not "${names[0]}"; name a folder with --out`);
  const { heldOut } = readDigits(digitsFile());
  const out = folderOption("out", values.out ?? "digits");
  const count = wholeOption("count", values.count ?? "100", 1, heldOut.length);
  await writeDigits(out, heldOut.slice(0, count));
  if (values.json) writeJson({ folder: out, pictures: count });
  else writeOut(`${out}: ${count} pictures, captions.jsonl, questions.jsonl and words.jsonl\n`);
  return 0;
}

export async function digits(args: readonly string[]): Promise<number> {
  const { values, positionals } = readArguments(args, OPTIONS);
  if (values.help) {
    writeOut(DIGITS);
    return 0;
  }
  const [task, ...names] = positionals;
  if (task === "write") return write(values, names);
  if (values.out !== undefined || values.count !== undefined)
    throw new UsageError("--out and --count are options of digits write");
  if (task !== "caption")
    throw new UsageError(
      `digits has the tasks "caption" and "write"${task === undefined ? "" : `, not "${task}"`}`,
    );
  if (names.length === 0 || names.length > MOST)
    throw new UsageError(
      `digits caption takes 1 to ${MOST} pictures: PNG or JPEG files, or numbers of held-out digits`,
    );
  const sampling = samplingOf(values);
  const pictures: Picture[] = [];
  for (const name of names) pictures.push(await pictureNamed(name));
  const model = loadDigitsModel(values.model ?? modelFile());
  const backend = await openBackend(values.backend);
  try {
    const { captions, tokens, attended } = await caption(model, pictures, sampling, values.attend, backend);
    if (values.json) {
      const words = tokens.map((id) => VOCABULARY[id]);
      writeJson({ captions, ...(attended ? { tokens: words, attended } : {}) });
    } else {
      const [paint, width] = [paintOn(process.stdout), widthOn(process.stdout)];
      writeOut(`${drawPictures(pictures, captions, { width })}\n`);
      if (attended) writeOut(`${attentionTable(tokens, attended, paint, width)}\n`);
    }
    return 0;
  } finally {
    await backend.close();
  }
}

/** The end of `check --tour`: three held-out digits, captioned by the model of the package. [generate.tour] */
export async function captionTour(): Promise<string> {
  const { heldOut } = readDigits(digitsFile());
  const pictures = [1, 14, 6].flatMap((i) => heldOut[i] ?? []);
  const captions = await captionTexts(loadDigitsModel(modelFile()), pictures);
  return [
    "Held-out digits, captioned by a Flamingo of 90,000 parameters",
    "(flamboyance train digits trains one like it in minutes):",
    "",
    drawPictures(pictures, captions),
  ].join("\n"); // [generate.tour]
}
