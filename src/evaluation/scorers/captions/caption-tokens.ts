// The words of captions, as the evaluation of COCO's captions makes them for CIDEr: the tokenizer of the Penn Treebank (Stanford CoreNLP 3.4.1,
// PTBTokenizer with -lowerCase), and then no punctuation (pycocoevalcap 1.2, tokenizer/ptbtokenizer.py).
import { checkGiven } from "../../../tensor/given.ts";
import { wordsOf } from "../words.ts";
import { shapesOf } from "./characters.ts";
import { KINDS } from "./kinds.ts";

/** What ptbtokenizer.py removes. The names of round and curly brackets are in its list in capitals, which the tokenizer has lowered: they stay. */
const REMOVED: ReadonlySet<string> = new Set("'' ' `` ` . ? ! , : - -- ... ;".split(" ")); // [score.caption-punctuation]

/** The words of a caption between single spaces, for `cider`. */
export function captionTokens(caption: string): string {
  checkGiven("captionTokens", { caption }, "a text");
  const shapes = shapesOf(caption); // [score.caption-signs]
  const tokens: string[] = [];
  const vainUntil = KINDS.map(() => 0);
  for (let at = 0; at < shapes.length; ) {
    if (/[\t-\r ]/.test(shapes.charAt(at))) {
      at++;
      continue;
    }
    let [length, token, longest] = [0, "", KINDS[0]];
    KINDS.forEach((kind, i) => {
      if (at < (vainUntil[i] ?? 0)) return;
      kind.pattern.lastIndex = at;
      const match = kind.pattern.exec(shapes);
      if (match && match[0].length > length) {
        length = match[0].length;
        token = match[1] ?? "";
        longest = kind;
      } else if (!match && kind.vain) {
        kind.vain.lastIndex = at;
        vainUntil[i] = kind.vain.test(shapes) ? kind.vain.lastIndex : 0;
      }
    });
    const end = at + Math.max(1, token.length);
    if (length > 0 && longest) tokens.push(...[longest.write(caption.slice(at, end))].flat());
    at = end;
  }
  return wordsOf(tokens.filter((token) => !REMOVED.has(token)).join(" ")).join(" "); // [score.caption-words]
}
