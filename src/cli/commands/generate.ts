// flamboyance generate
import { openFile } from "#host";
import { attentionOf, captionsOf, captionTexts } from "../../demos/digits/captioning.ts";
import { decode, IMAGE, VOCABULARY } from "../../demos/digits/captions.ts";
import { type Picture, readDigits } from "../../demos/digits/data.ts";
import { drawPictures } from "../../demos/digits/draw.ts";
import { type DigitsModel, loadDigitsModel } from "../../demos/digits/model.ts";
import { scan } from "../../demos/digits/scan.ts";
import { type Choose, greedy, sampled } from "../../generation/choose.ts";
import type { Backend } from "../../kernels/backend.ts";
import { positiveOption, readArguments, wholeOption } from "../arguments.ts";
import { openBackend } from "../backends.ts";
import { digitsFile, modelFile } from "../golden-files.ts";
import { GENERATE } from "../help/digits.ts";
import { UsageError } from "../help/usage.ts";
import { readPng } from "../png.ts";

const OPTIONS = {
  model: { type: "string" },
  sample: { type: "boolean", default: false },
  temperature: { type: "string" },
  "top-k": { type: "string" },
  seed: { type: "string" },
  attend: { type: "boolean", default: false },
  backend: { type: "string", default: "reference" },
  json: { type: "boolean", default: false },
  help: { type: "boolean", default: false },
} as const;

/** A sequence may hold as many images as the resampler has positions. */
const MOST = 4;

function picture(what: string): Picture {
  if (!/^\d+$/.test(what)) {
    const file = openFile(what);
    return scan(readPng(file.read(0, file.size), what));
  }
  const { heldOut } = readDigits(digitsFile());
  const found = heldOut[Number(what)];
  if (!found)
    throw new UsageError(`held-out digits have the numbers 0 to ${heldOut.length - 1}, not ${what}`);
  return found;
}

interface Sampling {
  readonly sample: boolean;
  readonly temperature?: string | undefined;
  readonly "top-k"?: string | undefined;
  readonly seed?: string | undefined;
}

function choice({ sample, temperature, "top-k": topK, seed }: Sampling): Choose {
  if (!sample && (temperature ?? topK ?? seed) !== undefined)
    throw new UsageError("--temperature, --top-k and --seed belong to --sample"); // [generate.options]
  if (!sample) return greedy;
  return sampled({
    seed: wholeOption("seed", seed ?? "1"),
    temperature: positiveOption("temperature", temperature ?? "1"),
    ...(topK === undefined ? {} : { topK: wholeOption("top-k", topK, 1) }),
  });
}

/** One line for each token: where its attention went, in each layer, in hundredths. */
function attention(tokens: readonly number[], tables: readonly (readonly (readonly number[])[])[]): string {
  const heads = tables.map((_, layer) => `layer ${layer}`);
  const images = tables[0]?.[0]?.length ?? 0;
  const width = Math.max(8, 4 * images);
  const lines = tokens.map((id, i) => {
    const cells = tables.map((table) =>
      (table[i] ?? []).map((share) => (share === 0 ? "·" : (100 * share).toFixed(0)).padStart(4)).join(""),
    );
    return `  ${(VOCABULARY[id] ?? "?").padEnd(10)}${cells.map((cell) => cell.padStart(width)).join("  ")}`;
  });
  const title = `  ${"token".padEnd(10)}${heads.map((head) => head.padStart(width)).join("  ")}`;
  return ["", `${title}     (one column an image, per cent)`, ...lines].join("\n"); // [generate.attend]
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
  choose: Choose,
  attend: boolean,
  backend: Backend,
): Promise<Generated> {
  const [captions = []] = await captionsOf(model, [pictures], backend, choose);
  const tokens = captions.flatMap((words) => [IMAGE, ...words]);
  const attended = attend ? await attentionOf(model, tokens, pictures, backend) : null;
  return { captions: captions.map(decode), tokens, attended };
}

export async function generate(args: readonly string[]): Promise<number> {
  const { values, positionals } = readArguments(args, OPTIONS);
  if (values.help) {
    process.stdout.write(GENERATE);
    return 0;
  }
  if (positionals.length === 0 || positionals.length > MOST)
    throw new UsageError(`generate needs one to ${MOST} pictures: PNG files, or numbers of held-out digits`);
  const choose = choice(values);
  const pictures = positionals.map(picture);
  const model = loadDigitsModel(values.model ?? modelFile());
  const backend = await openBackend(values.backend);
  try {
    const { captions, tokens, attended } = await caption(model, pictures, choose, values.attend, backend);
    if (values.json) {
      const words = tokens.map((id) => VOCABULARY[id]);
      process.stdout.write(
        `${JSON.stringify({ captions, ...(attended ? { tokens: words, attended } : {}) })}\n`,
      );
    } else {
      process.stdout.write(`${drawPictures(pictures, captions)}\n`);
      if (attended) process.stdout.write(`${attention(tokens, attended)}\n`);
    }
    return 0;
  } finally {
    await backend.close();
  }
}

/** What `check --tour` ends with: three held-out digits, and what the model that ships says about them. [generate.tour] */
export async function captionTour(): Promise<string> {
  const { heldOut } = readDigits(digitsFile());
  const pictures = [1, 14, 6].flatMap((i) => heldOut[i] ?? []);
  const captions = await captionTexts(loadDigitsModel(modelFile()), pictures);
  return [
    "Digits that it never saw, and what a Flamingo of 90,000 parameters says about them",
    "(flamboyance train digits makes one like it in minutes):",
    "",
    drawPictures(pictures, captions),
  ].join("\n"); // [generate.tour]
}
