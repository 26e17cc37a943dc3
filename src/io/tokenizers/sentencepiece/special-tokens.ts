// Special tokens beside those of a SentencePiece model, as transformers keeps them: its tokenizers cut them out of a text and give the
// text between them to SentencePiece (tokenization_utils.py of transformers 4.57.6, PreTrainedTokenizer.tokenize).
import type { Pipeline } from "../pipeline.ts";
import { PrefixIndex } from "../text/prefix-index.ts";

/** A text, or the id of a special token. */
type Section = string | number;

function sectionsOf(text: string, tokens: PrefixIndex, ids: readonly number[]): Section[] {
  const sections: Section[] = [];
  let from = 0;
  for (let at = 0; at < text.length; ) {
    const found = tokens.longest(text, at);
    if (found === null) {
      at++;
      continue;
    }
    if (at > from) sections.push(text.slice(from, at));
    sections.push(ids[found.value] ?? 0);
    at += found.length;
    from = at;
  }
  if (from < text.length) sections.push(text.slice(from));
  return sections;
}

/**
 * A pipeline with further special tokens: one that is in the vocabulary keeps its id, and others follow the largest. `around` are ids that
 * are added around a text.
 */
export function withSpecialTokens(
  pipeline: Pipeline,
  texts: readonly string[],
  around: { readonly before: readonly number[]; readonly after: readonly number[] },
): Pipeline {
  let size = pipeline.size;
  const ids = texts.map((text) => pipeline.idOf(text) ?? size++); // [tokenizer.more-special]
  const tokens = new PrefixIndex(texts.map((text, i) => [text, i]));
  const textOf = new Map(ids.map((id, i) => [id, texts[i] ?? ""]));
  const idOf = new Map(texts.map((text, i) => [text, ids[i] ?? 0]));
  return {
    ...pipeline,
    size,
    encode(text, special) {
      const inner = sectionsOf(text, tokens, ids).flatMap((section) =>
        typeof section === "string" ? pipeline.encode(section, false) : [section],
      ); // [tokenizer.more-special]
      return special ? [...around.before, ...inner, ...around.after] : inner;
    },
    decode(all, skipSpecial) {
      let text = "";
      let between: number[] = [];
      for (const id of all) {
        const own = textOf.get(id);
        if (own === undefined) between.push(id);
        else {
          text += pipeline.decode(between, skipSpecial) + (skipSpecial ? "" : own);
          between = [];
        }
      }
      return text + pipeline.decode(between, skipSpecial);
    },
    idOf: (token) => idOf.get(token) ?? pipeline.idOf(token),
    tokenOf: (id) => textOf.get(id) ?? pipeline.tokenOf(id),
    isPartial: (id) => !textOf.has(id) && pipeline.isPartial(id),
  };
}
