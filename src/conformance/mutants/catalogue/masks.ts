// Mistakes in the mask as rewrites of a program: mutants 1-9, 14.

import { where } from "../../../tensor/ops/functions.ts";
import type { Tensor } from "../../../tensor/tensor.ts";
import { type MaskMistake, maskMistakes } from "../../mistakes/mask-mistakes.ts";
import { type Change, changing, type Mutant } from "../mutant.ts";
import { boolOf } from "../pattern-matchers.ts";
import { maskedAttentions, seeing } from "./masked-attentions.ts";

/** The rewrite for a mistake: its rule in place of the mask, except for the mistake that changes the program and not the rule. */
function rewriteOf({ id, rule }: MaskMistake): Mutant["apply"] {
  if (id !== "zeroing-discarded") return seeing(rule);
  return changing((context) =>
    maskedAttentions(context).flatMap(({ attention: { zeroing } }): Change[] => {
      const discarded = (weights: Tensor): Tensor => {
        if (zeroing) where(boolOf(zeroing.attrs.keep), weights);
        return weights;
      };
      return zeroing ? [[zeroing.id, discarded]] : [];
    }),
  );
}

export const masks: readonly Mutant[] = maskMistakes.map(({ rule, ...mistake }) => ({
  ...mistake,
  apply: rewriteOf({ rule, ...mistake }),
}));
