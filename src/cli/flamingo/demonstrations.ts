// Demonstrations of `flamboyance caption` and `vqa`: those of --demo, and those of a file, one JSON object a line.
import { dirname } from "node:path";
import { fromBytes, kindOf } from "#host";
import { LINE_REMEDY, linesOf } from "../../evaluation/data/lines.ts";
import { checkPromptText } from "../../evaluation/prompts.ts";
import { type FieldLocation, optional, type Read, record, string } from "../../io/fields.ts";
import { parseJson } from "../../io/json.ts";
import { resolved } from "../../io/paths.ts";
import { quoted } from "../../io/wording.ts";
import { counted } from "../../masks/sentences.ts";
import { LoadError } from "../../tensor/errors.ts";
import { readInput } from "../input-bytes.ts";
import { UsageError } from "../usage-error.ts";
import type { FlamingoRequest, FlamingoTask } from "./request.ts";

/** A picture with its answer. */
export interface CliDemonstration {
  /** Where it was given, for messages: a file and a line, or the number of a --demo. */
  readonly place: string;
  readonly image: string;
  readonly answer: string;
  /** Null: that of the query. */
  readonly question: string | null;
}

const NAME = "demonstrations.jsonl";
const [MOST_BYTES, MOST_LINES] = [16_000_000, 100_000];

const captionLine = record<{ image: string; caption: string }>({ image: string, caption: string });
const answerLine = record<{ image: string; question: string | null; answer: string }>({
  image: string,
  question: optional(string, null),
  answer: string,
});
const lines: { readonly [T in FlamingoTask]: Read<Omit<CliDemonstration, "place">> } = {
  caption(value, at) {
    const { image, caption } = captionLine(value, at);
    return { image, answer: caption, question: null };
  },
  vqa: answerLine,
};

function demonstrationOf(
  task: FlamingoTask,
  file: string,
  line: Uint8Array,
  number: number,
): CliDemonstration {
  const name = `${file}, line ${number}`;
  const json = parseJson(line, name, 4, "cli.demonstrations", LINE_REMEDY);
  const unread: string[] = [];
  const at: FieldLocation = { file: name, field: "", unread, rule: "cli.demonstrations" };
  const found = lines[task](json, at);
  const [unknown] = unread;
  if (unknown !== undefined) throw new LoadError(`${name}: ${quoted(unknown)} is no field of ${task}`);
  const empty = Object.entries(json).find(([, text]) => typeof text === "string" && text.trim() === "");
  if (empty !== undefined)
    throw new LoadError(`${name}: ${quoted(empty[0])} is empty; write it, or leave the line out`);
  return { ...found, image: resolved(dirname(file), found.image), place: name };
}

/** The demonstrations of a file, or of the file in a folder. */
function readDemonstrations(task: FlamingoTask, path: string): CliDemonstration[] {
  const file = kindOf(path) === "folder" ? `${path}/${NAME}` : path;
  if (kindOf(file) === "nothing")
    throw new LoadError(
      `cannot open ${file}: it does not exist; each of its lines is {"image": "cat.png", ${task === "caption" ? '"caption": "a cat"' : '"question": "What is it?", "answer": "a cat"'}}`,
    );
  const bytes = readInput(file, MOST_BYTES + 1);
  if (bytes.length > MOST_BYTES) throw new LoadError(`${file} is longer than 16 MB; make it shorter`);
  const found: CliDemonstration[] = [];
  for (const { number, bytes: line } of linesOf(fromBytes(bytes))) {
    if (number > MOST_LINES)
      throw new LoadError(`${file} has more than ${MOST_LINES} lines; make it shorter`);
    if (line?.some((byte) => byte > 32)) found.push(demonstrationOf(task, file, line, number));
  }
  if (found.length === 0) throw new LoadError(`${file} has no demonstrations; write one a line`);
  return found;
}

/** Throws a LoadError unless there is something at the path of a picture. `before`: what the message begins with. */
export function checkPicture(path: string, before = ""): void {
  if (kindOf(path) === "nothing")
    throw new LoadError(
      `${before}cannot open ${path}: there is no such file or folder; check the path  [io.file-errors]`,
    );
}

/** All demonstrations of a request: those of the file, then those of --demo. Throws a UsageError if there are too many for one prompt. */
export function demonstrationsOf(request: FlamingoRequest): CliDemonstration[] {
  const { task, demonstrations, demosPath, shots, rices, textOnly } = request;
  const ofFile = demosPath === undefined ? [] : readDemonstrations(task, demosPath);
  const given = demonstrations.map((one) => ({
    ...one,
    question: null,
    place: `the demonstration of ${one.image}`,
  }));
  const all = [...ofFile, ...given];
  if (shots !== undefined && shots > all.length)
    throw new UsageError(
      `--shots is ${shots}, and there ${all.length === 1 ? "is" : "are"} ${counted(all.length, "demonstration")}; give more of them`,
    );
  const taken = rices ? all : all.slice(0, shots);
  for (const { question, answer, image, place } of taken) {
    checkPromptText(`${question ?? ""} ${answer}`, place);
    if (!textOnly || rices) checkPicture(image, `${place}: `);
  }
  if (rices || shots === undefined) {
    if (!rices && all.length > 64)
      throw new UsageError(
        `there are ${all.length} demonstrations; choose among them with --shots K, at most 64`,
      );
  }
  return taken;
}
