// The memory that a Kosmos needs, from the descriptions of its weights: no value is read.
import { DTYPE } from "../../io/dtypes.ts";
import { kosmosLayout } from "../../models/kosmos/layout.ts";
import { stateDict } from "../../nn/state-dict.ts";
import { checkMember } from "../../tensor/given.ts";
import { constant } from "../../tensor/program/constants.ts";
import { sourceOf, Tensor } from "../../tensor/tensor.ts";
import { dtypeShares, type MemoryPlan, type PlanOptions, planFor } from "../memory-plan.ts";
import type { LoadedKosmos } from "./folder.ts";

/** The texts and images for which memory is planned. */
export interface KosmosPlanOptions extends PlanOptions {
  /** Images of each text. Default 1. */
  readonly images?: number | undefined;
}

/** The most tokens that are planned where the model has no table of positions. */
const LONGEST = 2048;

/**
 * The memory of a model whose weights are read from a file: `describeMemoryPlan` makes lines of it. Intermediates are those of encoding the images and of
 * reading the prompts, in which every vector counts as a token.
 */
export function kosmosMemoryPlan(
  loaded: Pick<LoadedKosmos, "model" | "file">,
  { images = 1, ...options }: KosmosPlanOptions = {},
): MemoryPlan {
  checkMember("kosmosMemoryPlan", { loaded }, "model", "a model and its file, as loadKosmos returns them");
  const { model, file } = loaded;
  const { tokens, slots } = model.options;
  const longest = model.decoder.options.maxPositions ?? LONGEST;
  const [height, width] = model.clip_model.imageSize;
  const weights = [...new Set(stateDict(model).values())].map((t) => ({
    dtype: DTYPE[sourceOf(t.stored).dtype],
    size: t.size,
  }));
  const dtypes = dtypeShares(weights);
  const sum = (field: "tensors" | "bytes") => dtypes.reduce((all, share) => all + share[field], 0);
  const segments = Array<"image">(images).fill("image");
  return planFor(
    {
      folder: file,
      model: "Kosmos",
      files: [{ name: file, tensors: sum("tensors"), bytes: sum("bytes") }],
      dtypes,
      longest,
      begin: kosmosLayout(segments, { tokens, slots, end: false }).ids,
      isHalf: (t) => sourceOf(t.stored).dtype.endsWith("float16"), // [kosmosfolder.plan]
      writer: (texts) =>
        model.withMedia(
          images === 0 ? {} : { images: constant(new Tensor([texts, images, 3, height, width])) },
        ), // [kosmosfolder.plan]
    },
    options,
  );
}
