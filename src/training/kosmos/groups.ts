// The parameter groups of a Kosmos, for the optimiser.
import { Conv2d } from "../../nn/conv/conv2d.ts";
import { Embedding } from "../../nn/embedding.ts";
import { Linear } from "../../nn/linear.ts";
import { checkValue, listOf, notNegative, oneOf } from "../../nn/options.ts";
import { stateDict } from "../../nn/state-dict.ts";
import { RuleError } from "../../tensor/errors.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { walk } from "../../tensor/walk.ts";
import type { ParameterGroup } from "../optimizers/optimizer.ts";

export const KOSMOS_GROUPINGS = ["layers", "all", "linear weights alone"] as const;
/**
 * Which parameters decay, and which are trained at all. "layers": weights of linear layers and convolutions decay; tables, latents, norms and
 * biases do not. "all": every parameter decays, as where an optimiser is given `model.parameters()`. "linear weights alone": `decoupled_optimizer`
 * of Kosmos-X (train.py), which finds the weights of linear layers only, so that no other parameter is trained.
 */
export type KosmosGrouping = (typeof KOSMOS_GROUPINGS)[number];

/** The names of the weights of linear layers and, with `convolutions`, of convolutions. A table of embeddings is none, also where it is tied to a layer. */
function layerWeights(model: object, convolutions: boolean): ReadonlySet<string> {
  const modules = [...walk(model)].map(([, owner]) => owner);
  const tables = new Set(
    modules.flatMap((owner) => (owner instanceof Embedding ? [owner.weight as Tensor] : [])),
  );
  const weights = new Set(
    modules.flatMap((owner): Tensor[] =>
      owner instanceof Linear || (convolutions && owner instanceof Conv2d) ? [owner.weight] : [],
    ),
  );
  return new Set(
    [...stateDict(model)].flatMap(([name, t]) => (weights.has(t) && !tables.has(t) ? [name] : [])),
  );
}

/**
 * The parameter groups of the names to train. Throws a RuleError for another grouping, and where "linear weights alone" leaves nothing to
 * train.
 */
export function kosmosGroups(
  model: object,
  names: readonly string[],
  weightDecay = 0.01,
  grouping: KosmosGrouping = "layers",
): ParameterGroup[] {
  checkValue("kosmosGroups", "names", names, listOf("parameter names"));
  checkValue("kosmosGroups", "weightDecay", weightDecay, notNegative);
  checkValue("kosmosGroups", "grouping", grouping, oneOf(KOSMOS_GROUPINGS));
  if (grouping === "all") return [{ names, weightDecay }]; // [trainkosmos.groups]
  const isLayer = layerWeights(model, grouping === "layers"); // [trainkosmos.linear-alone]
  const decaying = names.filter((name) => isLayer.has(name)); // [trainkosmos.groups]
  if (grouping === "layers")
    return [
      { names: decaying, weightDecay },
      { names: names.filter((name) => !isLayer.has(name)), weightDecay: 0 }, // [trainkosmos.groups]
    ];
  if (decaying.length === 0)
    throw new RuleError(
      "none of the names is the weight of a linear layer, which are all that this grouping trains",
      "trainkosmos.linear-alone",
    );
  return [{ names: decaying, weightDecay }]; // [trainkosmos.linear-alone]
}
