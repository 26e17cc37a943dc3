// The names that an answer can be: a file with one a line.
import { fromBytes } from "#host";
import { linesOf } from "../../evaluation/data/lines.ts";
import { checkPromptText } from "../../evaluation/prompts.ts";
import { utf8 } from "../../io/wording.ts";
import { LoadError } from "../../tensor/errors.ts";
import { readInput } from "../input-bytes.ts";

/** Bytes of a file of names, at most: ImageNet's thousand names have 20 kB. */
const MOST_BYTES = 1_000_000;

/** The names of a file. Throws a LoadError that names file and line for one that is not text, stands twice, or has a token of prompts. */
export function namesIn(path: string): string[] {
  const bytes = readInput(path, MOST_BYTES + 1);
  if (bytes.length > MOST_BYTES) throw new LoadError(`${path} is longer than 1 MB; give fewer names`);
  const names = new Set<string>();
  for (const { number, bytes: line } of linesOf(fromBytes(bytes))) {
    const name = line && utf8(line)?.trim();
    if (name === null || name === undefined)
      throw new LoadError(`${path}, line ${number} is not valid UTF-8; write the line again`);
    if (name === "") continue;
    if (names.has(name)) throw new LoadError(`${path}, line ${number}: the name stands twice; remove one`);
    checkPromptText(name, `${path}, line ${number}`);
    names.add(name);
  }
  if (names.size === 0) throw new LoadError(`${path} has no names; write one a line`);
  return [...names];
}
