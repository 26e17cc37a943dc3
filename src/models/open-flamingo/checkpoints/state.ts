// State dicts of OpenFlamingo as open-flamingo writes them: open_flamingo/src/flamingo_lm.py and open_flamingo/train/train_utils.py of
// open-flamingo 2.0.1.
import { stateDict, ties } from "../../../nn/state-dict.ts";
import type { Tensor } from "../../../tensor/tensor.ts";
import type { OpenFlamingo } from "../flamingo.ts";
import { isInputTable, isNewLayer } from "../names.ts";
import { layersPath, SECOND_LISTS } from "./names.ts";

/** The projection to the vocabulary, where it has parameters of its own. */
const OUTPUT_TABLE = /^lang_encoder\.(lm_head|embed_out)\.(weight|bias)$/;

/** Whether a tensor has a row for each token. */
export const isVocabularyTable = (name: string): boolean => isInputTable(name) || OUTPUT_TABLE.test(name);

/** The releases that name tensors differently. */
export type FlamingoRelease = "2.0.1" | "0.1.1";

/**
 * Every tensor of a model by the names of the package, in its order: those of a layer have two names each. The first release has the names
 * of gated layers twice, not those of other layers, and keeps all of CLIP, whose image tower it calls `vision_encoder.visual`.
 */
export function flamingoStateDict(
  model: OpenFlamingo,
  release: FlamingoRelease = "2.0.1",
): Map<string, Tensor> {
  const isFirst = release === "0.1.1";
  const state = stateDict(model);
  const layers = layersPath(state.keys());
  const all = new Map(
    [...state].map(([name, t]) => [
      isFirst ? name.replace(/^vision_encoder\.(visual\.)?/, "vision_encoder.visual.") : name,
      t,
    ]),
  );
  for (const [list, field] of Object.entries(SECOND_LISTS))
    for (const [name, t] of state) {
      if (layers === null || !name.startsWith(layers) || (isFirst && field === "decoder_layer")) continue;
      const [number = "", part, ...rest] = name.slice(layers.length).split(".");
      if (part === field) all.set(`${list}${number}.${rest.join(".")}`, t); // [checkpoints.state-dict]
    }
  return all;
}

/**
 * What a checkpoint holds. "package": the tensors that `filter_state_dict_to_trainable` keeps, which are the trained ones and those with
 * "embed" in their names; output tables of LLaMA and GPT-J are not among them, although they have rows of added tokens. "complete": these
 * and all tables with a row for each token. "everything": the language model and the image encoder too.
 */
export const CHECKPOINT_FORMS = ["package", "complete", "everything"] as const;
/** The name of what a checkpoint holds; see `CHECKPOINT_FORMS`. */
export type CheckpointForm = (typeof CHECKPOINT_FORMS)[number];

/** What a checkpoint holds, and what the training froze. */
export interface CheckpointFormOptions {
  /** Default "package". */
  readonly form?: CheckpointForm | undefined;
  /** Whether the table of the token embeddings is frozen. It is then dropped from the form "package" unless its name has "embed". Default false. */
  readonly freezeLmEmbeddings?: boolean | undefined;
}

/** The tensors of a checkpoint by name. */
export function checkpointState(
  model: OpenFlamingo,
  options: CheckpointFormOptions = {},
): Map<string, Tensor> {
  const { form = "package", freezeLmEmbeddings = false } = options;
  if (form === "everything") return flamingoStateDict(model);
  const second = ties(model);
  const isTrainable = (name: string) => isNewLayer(name) || (!freezeLmEmbeddings && isInputTable(name));
  const isKept = (name: string): boolean => {
    if (name.startsWith("vision_encoder.")) return false;
    if (form === "complete" && isVocabularyTable(name)) return true; // [checkpoints.complete]
    return isTrainable(name) || name.includes("embed") || second.has(name); // [checkpoints.package-form]
  };
  return new Map([...stateDict(model)].filter(([name]) => isKept(name)));
}
