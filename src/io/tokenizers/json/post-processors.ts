// Post-processors of tokenizer.json, which add special tokens around the ids of a text (huggingface/tokenizers, tokenizers/src/processors).
import { integer, list, refuse, string } from "../../fields.ts";
import { isObject } from "../../json.ts";
import { asPart, make, type Part, partOf, partsOf, required, type Table } from "./fields.ts";

/** The ids of a text with the special tokens around them. */
export type PostProcess = (ids: readonly number[]) => readonly number[];

/** The ids before and after the text. */
const around =
  (before: readonly number[], after: readonly number[]): PostProcess =>
  (ids) => [...before, ...ids, ...after];

function template(part: Part): PostProcess {
  const [before, after]: [number[], number[]] = [[], []];
  let texts = 0;
  const special = partOf(part, "special_tokens");
  for (const item of partsOf(part, "single")) {
    if (isObject(item.json.Sequence)) texts++;
    else {
      const name = required(partOf(item, "SpecialToken"), "id", string);
      (texts > 0 ? after : before).push(...required(partOf(special, name), "ids", list(integer)));
    }
  }
  if (texts !== 1)
    throw refuse(
      part.at,
      `has the text ${texts} times in "single"; it must be there once`,
      "tokenizer.post-processors",
    );
  return around(before, after);
}

/** [token, id] */
function tokenId(part: Part, name: string): number {
  const pair = part.json[name];
  return required(asPart({ id: Array.isArray(pair) ? pair[1] : null }, part), "id", integer);
}

const classified = (part: Part): PostProcess => around([tokenId(part, "cls")], [tokenId(part, "sep")]);

const POST_PROCESSORS: Table<PostProcess> = {
  Sequence: (part) => {
    const all = partsOf(part, "processors").map(postProcessor);
    return (ids) => all.reduce((result, process) => process(result), ids);
  },
  TemplateProcessing: template,
  RobertaProcessing: classified,
  BertProcessing: classified,
  ByteLevel: () => (ids) => ids, // it moves offsets only
};

/** [tokenizer.post-processors] */
export function postProcessor(part: Part): PostProcess {
  return make(part, POST_PROCESSORS);
}
