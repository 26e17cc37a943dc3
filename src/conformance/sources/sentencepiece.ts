// sentencepiece 0.2.1: ids of texts, and the texts of ids, for a model that is given by its pieces.
import {
  boolean,
  type FieldLocation,
  list,
  number,
  oneOf,
  optional,
  type Read,
  refuse,
  string,
} from "../../io/fields.ts";
import type { Json } from "../../io/json.ts";
import type { CamelCased } from "../../io/snake-case.ts";
import { type Piece, UNK_SURFACE } from "../../io/tokenizers/sentencepiece/model.ts";
import { MAP_NAMES, namedMap } from "../../io/tokenizers/sentencepiece/named-maps.ts";
import { sentencePiecePipeline } from "../../io/tokenizers/sentencepiece/pipeline.ts";
import { quoted } from "../../io/wording.ts";
import { LoadError } from "../../tensor/errors.ts";
import { Int } from "../../tensor/tensor.ts";
import { procedureClass, type Source } from "./interface/source.ts";

/** [piece, score, type] */
const piece: Read<Piece> = (value: Json | undefined, at: FieldLocation) => {
  const [text, score, type, ...others] = Array.isArray(value) ? value : [];
  if (others.length > 0) throw refuse(at, "has to be a piece, its score and its type");
  return { text: string(text, at), score: Math.fround(number(score, at)), type: number(type, at) };
};

const OPTIONS = {
  pieces: list(piece),
  normalizer: optional(oneOf(...MAP_NAMES), "nmt_nfkc" as const),
  add_dummy_prefix: optional(boolean, true),
  remove_extra_whitespaces: optional(boolean, true),
  escape_whitespaces: optional(boolean, true),
  treat_whitespace_as_suffix: optional(boolean, false),
  byte_fallback: optional(boolean, false),
  unk_surface: optional(string, UNK_SURFACE),
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
        const model = {
          kind: "unigram" as const,
          map: namedMap(options.normalizer),
          suffixes: options.treatWhitespaceAsSuffix,
          ...options,
        };
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
