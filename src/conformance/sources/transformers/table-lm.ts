// TableLM: a language model that is a table, for cases of `generate` of transformers 4.57.6. The logits of the next token are the row of
// the last one.
import { type FieldLocation, optional, refuse } from "../../../io/fields.ts";
import type { Json } from "../../../io/json.ts";
import { noPadding } from "../../../models/language-model.ts";
import { readOn, type Writer } from "../../../models/writer.ts";
import { constant, Parameter } from "../../../nn/parameter.ts";
import { gather } from "../../../tensor/ops/functions.ts";
import type { Shape } from "../../../tensor/tensor.ts";
import { Int } from "../../../tensor/tensor.ts";
import { Arguments } from "../interface/arguments.ts";
import { readOptions, type SourceClass, size } from "../interface/source.ts";
import { type GenerateArguments, generateArguments, generatedSequences } from "./generation.ts";

class TableLM {
  table: Parameter<"v n">;

  constructor(tokens: number) {
    this.table = new Parameter("v n", [tokens, tokens], constant(0));
  }
}

const writerOfTable = (model: TableLM): Writer => ({
  model,
  context: () => ({}),
  step(ids, _mask, cache) {
    const [b = 0, l = 0] = ids.shape;
    const all = ids.flat();
    const last = Int32Array.from({ length: b }, (_, row) => all[(row + 1) * l - 1] ?? 0);
    return {
      logits: gather(model.table, new Int<"b">([b], last)),
      cache: { layers: [], ...readOn(cache, ids) },
    };
  },
});

const options = { vocab_size: optional(size, undefined), generate: generateArguments };
interface TableOptions {
  readonly vocab_size: number | undefined;
  readonly generate: GenerateArguments;
}

/** The number of tokens: that of the configuration, or of the table that the case has. */
function tokensOf(vocabSize: number | undefined, table: Shape | undefined, at: FieldLocation): number {
  const tokens = vocabSize ?? table?.[0];
  if (tokens !== undefined) return tokens;
  throw refuse(at, "has no vocab_size, and the case no weight table of which it would be the width");
}

const IDS = "input_ids";

export const tableLM: SourceClass = {
  options: Object.keys(options),
  call: [IDS],
  build(config, at, { weights }) {
    const { vocabSize, generate } = readOptions<TableOptions>(options, config as Json, at);
    const model = new TableLM(tokensOf(vocabSize, weights.get("table"), at));
    return {
      model,
      run(inputs, backend) {
        const ids = new Arguments(inputs).int(IDS, "b l");
        const mask = noPadding(ids.shape[0] ?? 0, ids.shape[1] ?? 0); // the table needs no mask
        return generatedSequences(writerOfTable(model), { ids, mask }, generate, {
          backend,
          positions: null,
          useCache: true,
        });
      },
    };
  },
};
