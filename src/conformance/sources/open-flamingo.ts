// open-flamingo 2.0.1 and 0.1.1: flamingo.py, flamingo_lm.py, helpers.py, train/train_utils.py, and
// eval/models/open_flamingo.py.
import type { Source } from "./interface/source.ts";
import { blocks } from "./open-flamingo/blocks.ts";
import { flamingo } from "./open-flamingo/flamingo.ts";
import { rank } from "./open-flamingo/rank.ts";
import { type Release, releases } from "./open-flamingo/releases.ts";
import { trainingClasses } from "./open-flamingo/training.ts";

export const openFlamingo: Source<Release> = {
  package: "open-flamingo",
  profiles: releases,
  classes: { Flamingo: flamingo, ...blocks, ...trainingClasses, get_rank_classifications: rank },
};
