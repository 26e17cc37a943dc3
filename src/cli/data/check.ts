// flamboyance data check
import { dirname } from "node:path";
import { kindOf } from "#host";
import { imagesOf, type SampleKind } from "../../evaluation/data/samples.ts";
import { decodeImageFile } from "../../io/images/read.ts";
import { resolved } from "../../io/paths.ts";
import { counted } from "../../masks/sentences.ts";
import { messageOf } from "../../tensor/errors.ts";
import { oneOf, readArguments, wholeOption } from "../arguments.ts";
import { writeJson, writeOut } from "../terminal.ts";
import { UsageError } from "../usage-error.ts";
import { KINDS, MOST_SHOWN, openReading } from "./reading.ts";

/** Bad lines of a file that can be kept for a report. */
const MOST_PROBLEMS = 100_000;

const OPTIONS = {
  kind: { type: "string", multiple: true, default: [] as string[] },
  decode: { type: "boolean", default: false },
  problems: { type: "string", default: String(MOST_SHOWN) },
  stop: { type: "boolean", default: false },
  json: { type: "boolean", default: false },
} as const;

/** Why a picture cannot be used, or null. */
async function pictureProblem(path: string, decode: boolean): Promise<string | null> {
  const kind = kindOf(path);
  if (kind !== "file")
    return `cannot open ${path}: ${kind === "folder" ? "it is a folder" : "there is no such file"}`;
  if (!decode) return null;
  return decodeImageFile(path).then(() => null, messageOf);
}

/** What a file holds. */
interface Checked {
  readonly file: string;
  readonly samples: Readonly<Record<SampleKind, number>>;
  readonly pictures: number;
  readonly leftOut: number;
  readonly problems: readonly { readonly line: number; readonly problem: string }[];
}

async function checkFile(file: string, options: CheckOptions): Promise<Checked> {
  const { leftOut, progress, samples } = openReading(options.stop, options.problems);
  const counts: Record<SampleKind, number> = {
    ...{ text: 0, caption: 0, document: 0, question: 0, choice: 0 },
    ...{ matrix: 0, description: 0 },
  };
  let pictures = 0;
  for (const { line, sample } of samples(file, options.kinds)) {
    let problem: string | null = null;
    for (const picture of imagesOf(sample)) {
      pictures++;
      problem ??= await pictureProblem(resolved(dirname(file), picture), options.decode);
    }
    if (problem === null) counts[sample.kind]++;
    else leftOut.add(file, { line, problem: `${file}, line ${line}: ${problem}` });
  }
  progress.clear();
  return { file, samples: counts, pictures, leftOut: leftOut.count, problems: leftOut.shown };
}

interface CheckOptions {
  readonly kinds: readonly SampleKind[] | null;
  readonly decode: boolean;
  /** How many bad lines of each file are named. */
  readonly problems: number;
  readonly stop: boolean;
}

/** A line on a file: how many samples of each kind it has. */
function sentence({ file, samples, pictures, leftOut }: Checked): string {
  const kinds = KINDS.flatMap((kind) => (samples[kind] > 0 ? [counted(samples[kind], kind)] : []));
  const held = kinds.length > 0 ? kinds.join(", ") : "no sample";
  const seen = pictures > 0 ? `; ${counted(pictures, "picture")}` : "";
  return `${file}: ${held}${seen}${leftOut > 0 ? `; ${counted(leftOut, "line")} left out` : ""}`;
}

export async function check(args: readonly string[]): Promise<number> {
  const { values, positionals: files } = readArguments(args, OPTIONS);
  if (files.length === 0)
    throw new UsageError("data check takes files of JSON lines, such as captions.jsonl");
  const kinds = values.kind.length > 0 ? values.kind.map((kind) => oneOf("kind", kind, KINDS)) : null;
  const problems = wholeOption("problems", values.problems, 0, MOST_PROBLEMS);
  const found: Checked[] = [];
  for (const file of files)
    found.push(await checkFile(file, { kinds, decode: values.decode, problems, stop: values.stop }));
  if (values.json) writeJson({ files: found });
  else writeOut(`${found.map(sentence).join("\n")}\n`);
  return found.some(({ leftOut }) => leftOut > 0) ? 2 : 0;
}
