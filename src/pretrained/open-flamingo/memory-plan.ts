// The memory that an OpenFlamingo needs, from the descriptions of its weights: no value is read.
import { DTYPE } from "../../io/dtypes.ts";
import type { OpenFlamingo } from "../../models/open-flamingo/flamingo.ts";
import { stateDict } from "../../nn/state-dict.ts";
import { checkMember } from "../../tensor/given.ts";
import { constant } from "../../tensor/program/constants.ts";
import { sourceOf, Tensor } from "../../tensor/tensor.ts";
import type { LoadedModel } from "../load-pretrained.ts";
import {
  type DtypeShare,
  dtypeShares,
  type MemoryPlan,
  type PlanOptions,
  planFor,
  type WeightsFile,
} from "../memory-plan.ts";
import type { LoadedCheckpoint } from "./checkpoint/load.ts";

/** The parts that a model was built from. */
export interface FlamingoParts {
  /** The folder or file that stands for the whole in the plan. */
  readonly name: string;
  readonly language: Pick<LoadedModel, "plan">;
  readonly checkpoint?: Pick<LoadedCheckpoint, "file"> | undefined;
  /** Height and width of an image. */
  readonly imageSize: readonly [height: number, width: number];
}

/** The texts and images for which memory is planned. */
export interface FlamingoPlanOptions extends PlanOptions {
  /** Images of each text. Default 1. */
  readonly images?: number | undefined;
}

/** The weights of a model, by dtype. */
const dtypesIn = (model: object): DtypeShare[] =>
  dtypeShares(
    [...new Set(stateDict(model).values())].map(({ stored, size }) => ({
      dtype: DTYPE[sourceOf(stored).dtype],
      size,
    })),
  );

/** The image tower as a file. */
function towerOf({ vision_encoder }: OpenFlamingo): WeightsFile {
  const shares = dtypesIn(vision_encoder);
  const sum = (field: "tensors" | "bytes") => shares.reduce((all, share) => all + share[field], 0);
  return { name: "vision_encoder", tensors: sum("tensors"), bytes: sum("bytes") };
}

/**
 * The memory of a model whose weights are read from files: `describeMemoryPlan` makes lines of it. Weights are those of all three parts, and
 * intermediates those of encoding the images and reading the prompts.
 */
export function flamingoMemoryPlan(
  model: OpenFlamingo,
  parts: FlamingoParts,
  { images = 1, ...options }: FlamingoPlanOptions = {},
): MemoryPlan {
  checkMember("flamingoMemoryPlan", { model }, "forward", "an OpenFlamingo");
  checkMember(
    "flamingoMemoryPlan",
    { parts },
    "language",
    "an object with name, language, checkpoint and imageSize",
  );
  const { name, language, checkpoint, imageSize } = parts;
  const [height, width] = imageSize;
  const files = [...language.plan.files, towerOf(model), ...(checkpoint ? [checkpoint.file] : [])];
  const pictures = (texts: number): Tensor<"b m f c h w"> => {
    const shape = [texts, images, 1, 3, height, width];
    return constant(new Tensor(shape)); // without values: the recordings have none
  };
  return planFor(
    {
      folder: name,
      model: `OpenFlamingo around ${language.plan.model}`,
      files,
      dtypes: dtypesIn(model),
      longest: language.plan.longest,
      begin: Array<number>(images).fill(model.options.mediaTokenId),
      isHalf: (t) => sourceOf(t.stored).dtype.endsWith("float16"), // [checkpoints.plan]
      writer: (texts) => model.withMedia(pictures(texts)), // [checkpoints.plan]
    },
    options,
  );
}
