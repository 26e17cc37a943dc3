// T5's tokenizer with the two image tokens of Kosmos, as transformers 4.57.6 has it (models/t5/tokenization_t5.py and tokenization_utils.py:
// T5Tokenizer with its defaults, extra_ids=0 and additional_special_tokens=["<image>", "</image>"]).
import type { Pipeline } from "../pipeline.ts";
import type { FoundModel } from "../sentencepiece/folder.ts";
import { sentencePiecePipeline } from "../sentencepiece/pipeline.ts";
import { withSpecialTokens } from "../sentencepiece/special-tokens.ts";
import { stripped } from "../text/characters.ts";

/** The first pieces of T5's vocabulary: its ids 0, 1 and 2. */
export const T5_PIECES = ["<pad>", "</s>", "<unk>"] as const;
export const IMAGE_TOKENS = ["<image>", "</image>"] as const;
const none = { before: [], after: [] };
const EOS = 1;

/** A pipeline of a model whose first pieces are T5's. */
export function t5Pipeline({ model, path }: FoundModel): Pipeline {
  const bare = sentencePiecePipeline(model, path, none);
  const pipeline = withSpecialTokens(bare, [...T5_PIECES, ...IMAGE_TOKENS], none); // [tokenizer.t5]
  const added = new Set(IMAGE_TOKENS.map((token) => pipeline.idOf(token) ?? -1));
  return {
    ...pipeline,
    encode: (text, special) => {
      const ids = pipeline.encode(text, false);
      return special ? withEnd(ids) : ids;
    },
    decode: (ids, skipSpecial) =>
      skipSpecial
        ? stripped(
            bare.decode(
              ids.filter((id) => id >= T5_PIECES.length && !added.has(id)),
              true,
            ),
          )
        : textOf(ids, added, bare),
    isIncremental: false, // a space may come before text that was decoded already
  };
}

/** Ids with </s> at the end, unless they end with it. [tokenizer.t5-end] */
export const withEnd = (ids: readonly number[]): readonly number[] =>
  ids.at(-1) === EOS ? ids : [...ids, EOS];

/** The text of ids with special tokens: image tokens stand between spaces. [tokenizer.t5-decode] */
function textOf(ids: readonly number[], added: ReadonlySet<number>, bare: Pipeline): string {
  const sections: (string | number[])[] = [];
  for (const id of ids) {
    const last = sections.at(-1);
    if (added.has(id)) sections.push(IMAGE_TOKENS[[...added].indexOf(id)] ?? "");
    else if (Array.isArray(last)) last.push(id);
    else sections.push([id]);
  }
  return sections
    .map((section) => (typeof section === "string" ? section : sectionText(section, bare)))
    .filter((text, at, { length }) => text !== "" || at === length - 1) // a last section without text still has its space
    .join(" ");
}

/** T5Tokenizer.convert_tokens_to_string: a space before a text that a special token ends, unless it follows another one. */
function sectionText(ids: readonly number[], bare: Pipeline): string {
  let text = "";
  let run: number[] = [];
  let wasSpecial = false;
  for (const id of ids) {
    const special = T5_PIECES[id];
    if (special === undefined) run.push(id);
    else {
      text += (wasSpecial ? "" : " ") + bare.decode(run, false) + special;
      run = [];
    }
    wasSpecial = special !== undefined;
  }
  return stripped(text + bare.decode(run, false));
}
