// sentencepiece 0.2.1: ids of texts, and the texts of ids, for a model that is given by its pieces.
import { list, optional, string } from "../../io/fields.ts";
import type { CamelCased } from "../../io/snake-case.ts";
import { modelOfPieces, PIECES_FIELDS } from "../../io/tokenizers/sentencepiece/pieces.ts";
import { sentencePiecePipeline } from "../../io/tokenizers/sentencepiece/pipeline.ts";
import { quoted } from "../../io/wording.ts";
import { LoadError } from "../../tensor/errors.ts";
import { Int } from "../../tensor/tensor.ts";
import { procedureClass, type Source } from "./interface/source.ts";

const OPTIONS = {
  ...PIECES_FIELDS,
  texts: list(string),
  decoded: optional(list(string), null),
};

type Options = CamelCased<{ readonly [K in keyof typeof OPTIONS]: ReturnType<(typeof OPTIONS)[K]> }>;

export const sentencepiece: Source = {
  package: "sentencepiece",
  profiles: { "sentencepiece@0.2.1": {} },
  classes: {
    Unigram: procedureClass({
      options: OPTIONS,
      call: [],
      build: (options): Options => options,
      run: async ({ texts, decoded, ...options }: Options) => {
        const model = modelOfPieces(options);
        const tokenizer = sentencePiecePipeline(model, "config", { before: [], after: [] });
        const ids = texts.map((text) => tokenizer.encode(text, false));
        for (const [i, expected] of (decoded ?? []).entries()) {
          const text = tokenizer.decode(ids[i] ?? [], false);
          if (text !== expected)
            throw new LoadError(
              `the ids of text ${i} decode to ${quoted(text)}, not ${quoted(expected)}  [conform.run]`,
            );
        }
        return Object.fromEntries(
          ids.map((one, i) => [`ids.${i}`, new Int([one.length], Int32Array.from(one))]),
        );
      },
    }),
  },
};
