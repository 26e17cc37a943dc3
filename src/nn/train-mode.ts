// Train mode and evaluation mode of all modules of a model.
import { type Generator, generator } from "../tensor/random.ts";
import { walk } from "../tensor/walk.ts";
import { type Check, checked, checkValue, passing, whole } from "./options.ts";

/** A module that draws random numbers in train mode, such as Dropout; null stands for evaluation mode. */
interface WithTraining {
  drawFrom(generator: Generator | null): void;
}
const hasTraining = (part: object): part is WithTraining => "drawFrom" in part;

/** A module without a train mode, such as BatchNorm2d. */
interface WithoutTraining {
  refuseTraining(path: string): never;
}
const hasNoTraining = (part: object): part is WithoutTraining => "refuseTraining" in part;

/** A model with a part that stays in evaluation mode, such as a frozen encoder. */
interface WithFrozenPart {
  readonly evaluationOnly: object | null;
}
const hasFrozenPart = (part: object): part is WithFrozenPart => "evaluationOnly" in part;

const wanted = passing(
  "{ seed } for train mode, or null for evaluation mode",
  (value) => typeof value === "object",
);
/** The check of an option that takes a seed, as `generator` takes one. */
export const seed: Check = whole(-Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);

/**
 * Sets every dropout below `module` to train mode, each with its own generator, or to evaluation mode. A frozen part, such as the image
 * encoder of a FlamingoPaLM, stays in evaluation mode. Throws a RuleError if `module` has a batch norm, which has no train mode,
 * and if `training` is neither null nor an object with a seed.
 */
export function setTraining(module: object, training: { readonly seed: number } | null): void {
  checkValue("setTraining", "training", training, wanted);
  if (training) checked("setTraining", training, { seed }); // [random.seeded]
  const parts = [...walk(module)];
  if (training) for (const [path, part] of parts) if (hasNoTraining(part)) part.refuseTraining(path); // [batchnorm.evaluation]
  for (const [path, part] of parts)
    if (hasTraining(part)) part.drawFrom(training && generator(training.seed, path)); // [dropout.generators]
  for (const [, part] of parts) {
    const frozen = hasFrozenPart(part) ? part.evaluationOnly : null;
    if (training && frozen) setTraining(frozen, null); // [flamingo.frozen-encoder]
  }
}
