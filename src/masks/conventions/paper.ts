// The conventions of the Flamingo paper (Alayrac et al., arXiv 2204.14198v2). The first two are the defaults of this project.
import { correctedPair } from "./pair.ts";
import type { NamedConvention } from "./schema.ts";

// @__NO_SIDE_EFFECTS__
const fromPaper = (where: string) => ({
  package: "Flamingo, the paper",
  version: "arXiv 2204.14198v2",
  where,
});

const unproven = "the paper came without code";

export const paper = {
  immediate: {
    ...correctedPair.immediate,
    source: fromPaper("section 2.3, appendix A.1.3 (phi) and figure 7"),
    unproven,
    note: "A token sees the last image at or before it; attention adds nothing to a token that sees no image.",
  },
  "all-previous": {
    ...correctedPair.allPrevious,
    source: fromPaper("table 10, ablation (ii)"),
    unproven,
    note: "A token sees every image at or before it; attention adds nothing to a token that sees no image.",
  },
  paper: {
    ...correctedPair.immediate,
    name: "paper",
    source: fromPaper("appendix A.1.3, the sentence on phi without figure 7"),
    numbering: "exclusive",
    unproven,
    note: "A token sees the last image strictly before it, so an image's own token sees the previous image.",
  },
  "paper next": {
    ...correctedPair.immediate,
    name: "paper next",
    source: fromPaper("appendix A.3.2, half of the webpages in training"),
    numbering: "next",
    unproven,
    note: "Text sees the next image, as in half of the paper's training pages.",
  },
} as const satisfies Record<string, NamedConvention>;
