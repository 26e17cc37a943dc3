// Writes checkpoints of OpenFlamingo that open-flamingo loads.
import { saveSafetensors } from "../../../io/safetensors/write.ts";
import { saveTorch } from "../../../io/torch/write.ts";
import { quoted } from "../../../io/wording.ts";
import {
  CHECKPOINT_FORMS,
  type CheckpointFormOptions,
  checkpointState,
} from "../../../models/open-flamingo/checkpoints/state.ts";
import type { OpenFlamingo } from "../../../models/open-flamingo/flamingo.ts";
import { type Check, checked, flag, oneOf, optional } from "../../../nn/options.ts";
import { RuleError } from "../../../tensor/errors.ts";
import type { Tensor } from "../../../tensor/tensor.ts";

const checks: { readonly [K in keyof CheckpointFormOptions]-?: Check } = {
  form: optional(oneOf(CHECKPOINT_FORMS)),
  freezeLmEmbeddings: optional(flag),
};

/**
 * Writes a checkpoint, in the dtypes in which the parameters are stored: to `.pt`, as `torch.save` of the package does, or to `.safetensors`,
 * which holds each tensor once, under its first name. Throws a RuleError for another ending.
 */
export function saveFlamingoCheckpoint(
  path: string,
  model: OpenFlamingo,
  options: CheckpointFormOptions = {},
): void {
  const state = checkpointState(model, checked("saveFlamingoCheckpoint", options, checks));
  if (path.endsWith(".safetensors")) saveSafetensors(path, withoutTies(state), { floats: "stored" });
  else if (/\.(pt|pth|bin)$/.test(path)) saveTorch(path, state);
  else
    throw new RuleError(
      `saveFlamingoCheckpoint: the path is ${quoted(path)}; it must end with .pt or .safetensors`,
      "checkpoints.written",
    );
}

/** Every tensor under its first name. */
function withoutTies(state: ReadonlyMap<string, Tensor>): Map<string, Tensor> {
  const seen = new Set<Tensor>();
  return new Map([...state].filter(([, t]) => !seen.has(t) && seen.add(t))); // [checkpoints.written]
}
