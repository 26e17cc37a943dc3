// Checkpoints of Perceiver IO under the names of JOBR0/PerceiverIO_Pytorch, transformers and DeepMind (deepmind-research, perceiver/).
import type { StateDictReport, Weight, Weights } from "../../nn/loading/report.ts";
import { checkValue, oneOf } from "../../nn/options.ts";
import { loadStateDict, stateDict } from "../../nn/state-dict.ts";
import { Bug } from "../../tensor/errors.ts";
import { widened } from "../../tensor/source.ts";
import { flat, Int, rowMajor, type Shape, sizeOf, sourceOf, Tensor, view } from "../../tensor/tensor.ts";
import { LAYOUTS, PERCEIVER_NAMES, type PerceiverCheckpoint, type PerceiverNames } from "./names.ts";
import { ClassificationPerceiver } from "./tasks/classification.ts";
import type { FlowPerceiver } from "./tasks/flow.ts";
import type { LanguagePerceiver } from "./tasks/language.ts";
import { MultiModalPerceiver } from "./tasks/multi-modal.ts";

/** A model of one of the four tasks. */
export type PerceiverTask = LanguagePerceiver | ClassificationPerceiver | FlowPerceiver | MultiModalPerceiver;

const LABEL_QUERY = "perceiver._output_queries.label._position_encoding.pos_embs";
const CLASS_QUERY = "perceiver._output_queries.__default._position_encoding.pos_embs";

/**
 * Loads the weights of a task: a model's `.pth` (`loadTorch(path).under("model_state_dict")`) from "perceiver-io", a folder of "transformers"
 * (`openPretrained(folder)`), or a pickle of "deepmind" (`loadPickle(path)`). Throws a StateDictError, and loads nothing, where names or
 * shapes do not fit.
 */
export function loadPerceiver(
  model: PerceiverTask,
  weights: Weights,
  from: PerceiverCheckpoint,
): StateDictReport {
  checkValue("loadPerceiver", "from", from, oneOf(Object.keys(PERCEIVER_NAMES)));
  const names: PerceiverNames = PERCEIVER_NAMES[from];
  const isVideo = model instanceof MultiModalPerceiver;
  const rename = isVideo ? { ...names.rename, [names.classQuery]: LABEL_QUERY } : names.rename;
  const rows =
    model instanceof ClassificationPerceiver ? stateDict(model).get(CLASS_QUERY)?.shape[0] : undefined;
  return loadStateDict(model, new NamedWeights(weights, names, rows ?? null), {
    usual: { rename, ignore: names.ignore }, // [perceiverio.names-transformers] [perceiverio.names-deepmind]
    optional: isVideo ? [] : names.optional,
  });
}

/** Weights under names without the prefixes of a file's parts, and with the shapes of the model. */
class NamedWeights {
  readonly #weights: Weights;
  readonly #names: PerceiverNames;
  readonly #rows: number | null;
  readonly #nameInFile: ReadonlyMap<string, string>;

  /** `rows` is the number of rows of the model's query of classes; null: it has none. */
  constructor(weights: Weights, names: PerceiverNames, rows: number | null) {
    const prefixOf = (key: string) => names.prefixes.find((prefix) => key.startsWith(prefix)) ?? "";
    this.#weights = weights;
    this.#names = names;
    this.#rows = rows;
    this.#nameInFile = new Map(keysOf(weights).map((key) => [key.slice(prefixOf(key).length), key]));
  }

  get keys(): readonly string[] {
    return [...this.#nameInFile.keys()];
  }

  get(name: string): Weight {
    const weight = this.#weights.get(this.#nameInFile.get(name) ?? name);
    if (weight === undefined) throw new Bug(`there is no weight ${JSON.stringify(name)}`);
    if (weight instanceof Int && weight.shape.length === 0) return counted(weight); // [perceiverio.names-counter]
    if (!(weight instanceof Tensor)) return weight;
    if (name === this.#names.classQuery && this.#rows !== null) return firstRow(weight, this.#rows);
    const field = name.slice(name.lastIndexOf(".") + 1);
    const layout = this.#names.layouts[field]?.[weight.shape.length];
    return layout === undefined ? weight : permuted(weight, LAYOUTS[layout]); // [perceiverio.names-layouts]
  }
}

const keysOf = (weights: Weights): readonly string[] =>
  typeof weights.keys === "function" ? [...weights.keys()] : weights.keys;

/** A number of batches, which torch and haiku keep as an integer. */
const counted = (number: Int): Tensor => new Tensor([], view(Float64Array.from(number.flat()), []));

/** The values in their own precision, in row-major order. */
const valuesOf = ({ stored, shape }: Tensor) => {
  const source = sourceOf(stored);
  return widened(source.read(0, sizeOf(shape)), source.dtype);
};

/** The first row, `rows` times. [perceiverio.names-class-query] */
function firstRow(query: Tensor, rows: number): Tensor {
  const [given = 0, channels = 0] = query.shape;
  if (given === rows) return query;
  const first = valuesOf(query).slice(0, channels);
  const all = new Float64Array(rows * channels);
  for (let row = 0; row < rows; row++) all.set(first, row * channels);
  return new Tensor([rows, channels], view(all, [rows, channels]));
}

/** The axes of a tensor in another order; an axis of length 1 may be left out. */
function permuted(t: Tensor, order: readonly number[]): Tensor {
  const strides = rowMajor(t.shape);
  const shape: Shape = order.map((axis) => t.shape[axis] ?? 0);
  const stride = order.map((axis) => strides[axis] ?? 0);
  if (sizeOf(shape) !== t.size) return t; // refused for its shape
  return new Tensor(shape, view(flat({ data: valuesOf(t), shape, stride, offset: 0 }), shape));
}
