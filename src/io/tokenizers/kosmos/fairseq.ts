// The ids of Kosmos: a dictionary of fairseq over the pieces of a SentencePiece model, as unilm makes it (microsoft/unilm,
// kosmos-2/unilm/tasks/gpt_base.py, `setup_task`, and kosmos-2/fairseq/fairseq/data/dictionary.py). Its text is that of
// kosmos-2/fairseq/fairseq/data/encoders/sentencepiece_bpe.py.
import { LoadError } from "../../../tensor/errors.ts";
import { quoted } from "../../wording.ts";
import type { Pipeline } from "../pipeline.ts";
import type { FoundModel } from "../sentencepiece/folder.ts";
import { CONTROL, MOST_PIECES, UNKNOWN } from "../sentencepiece/model.ts";
import { SPACE_MARK } from "../sentencepiece/normalizer.ts";
import { sentencePiecePipeline } from "../sentencepiece/pipeline.ts";
import { withSpecialTokens } from "../sentencepiece/special-tokens.ts";
import { stripped, strippedEnd } from "../text/characters.ts";

/** The first symbols of a dictionary of fairseq: its ids 0 to 3. */
const FIRST = ["<s>", "<pad>", "</s>", "<unk>"] as const;
const [BOS, , EOS, UNK] = [0, 1, 2, 3];
/** The symbols that unilm's task adds behind the pieces. */
const LAST = ["<mask>", "</doc>", "<image>", "</image>", "</chunk>", "</line>"] as const;

/** The symbols of dict.txt, which has a line "symbol count" for each. Throws a LoadError for any other line. [tokenizer.fairseq-dictionary] */
export function readDictionary(text: string, file: string): string[] {
  const lines = text.split(/\r\n|\r|\n/);
  if (lines.at(-1) === "") lines.pop();
  if (lines.length > MOST_PIECES)
    throw new LoadError(
      `${file}: ${lines.length} lines are more than ${MOST_PIECES}  [tokenizer.fairseq-dictionary]`,
    );
  return lines.map((line, at) => {
    const match = /^(.*) [+-]?\d+$/s.exec(strippedEnd(line));
    if (match?.[1] === undefined)
      throw new LoadError(
        `${file}: line ${at + 1} is ${quoted(line)}; a line has a symbol, a space and a count  [tokenizer.fairseq-dictionary]`,
      );
    return match[1];
  });
}

/** The symbols by id: four of fairseq's, the pieces in the order of the dictionary or else of the model, and those of unilm. [tokenizer.fairseq] */
function symbolsOf({ model, path }: FoundModel, dictionary: readonly string[] | null): string[] {
  const pieces = model.pieces.filter(({ type }) => type !== UNKNOWN && type !== CONTROL);
  const symbols = new Set<string>(FIRST);
  for (const symbol of dictionary ?? pieces.map(({ text }) => text)) {
    if (symbols.has(symbol))
      throw new LoadError(
        `${dictionary === null ? path : `dict.txt beside ${path}`}: the symbol ${quoted(symbol)} is there twice, once perhaps as one of ${FIRST.join(" ")}  [tokenizer.fairseq-dictionary]`,
      );
    symbols.add(symbol);
  }
  for (const symbol of LAST) symbols.add(symbol);
  return [...symbols];
}

/** A pipeline with fairseq's ids. A piece that the dictionary does not have is unknown. */
export function fairseqPipeline(found: FoundModel, dictionary: readonly string[] | null): Pipeline {
  const bare = sentencePiecePipeline(found.model, found.path, { before: [], after: [] });
  const symbols = symbolsOf(found, dictionary);
  const ids = new Map(symbols.map((symbol, id) => [symbol, id]));
  const idOfPiece = found.model.pieces.map(({ text, type }) =>
    type === UNKNOWN ? UNK : (ids.get(text) ?? UNK),
  );
  const special = new Set([...FIRST, ...LAST].map((symbol) => ids.get(symbol)));
  const pipeline: Pipeline = {
    size: symbols.length,
    encode: (text) => bare.encode(text, false).map((id) => idOfPiece[id] ?? UNK),
    decode(all, skipSpecial) {
      const shown = all.filter((id) => id !== BOS && id !== EOS && !(skipSpecial && special.has(id)));
      const text = shown.map((id) => symbols[id] ?? "").join("");
      return stripped(text.replaceAll(" ", "").replaceAll(SPACE_MARK, " ")); // [tokenizer.fairseq-decode]
    },
    idOf: (symbol) => ids.get(symbol),
    tokenOf: (id) => symbols[id],
    isPartial: () => false,
    isIncremental: true,
  };
  const cut = withSpecialTokens(pipeline, LAST, { before: [BOS], after: [EOS] }); // [tokenizer.fairseq-special]
  return { ...pipeline, encode: cut.encode };
}
