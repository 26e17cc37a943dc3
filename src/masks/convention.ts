// How a codebase decides which text token sees which image, as data. A new convention is a new value here; a new
// idea (another numbering, another comparison, another fate of an empty row) is a new value of one field.

export interface Convention {
  readonly name: string;
  /** Where it was read. */
  readonly source: { readonly package: string; readonly version: string; readonly where: string };
  /** How positions count images (text_time). inclusive: an image's own token already counts it. */
  readonly numbering: "inclusive";
  /** How a position's count is compared with an image's number: the last image only, or all up to it. */
  readonly compare: "equal" | "at-least";
  /** What the softmax makes of a row that may attend nothing, decided from the mask itself, whatever the cause. */
  readonly emptyRow: "zero" | "uniform" | "nan";
  /** Whether rows with text_time = 0 are set to zero after the softmax, whatever emptyRow made of them. */
  readonly silentBeforeFirstImage: boolean;
  /** One sentence. */
  readonly note: string;
}

const paper = "Flamingo, the paper";
const arxiv = "arXiv 2204.14198v2";
const forward = "flamingo_pytorch.py, MaskedCrossAttention.forward";

/** The named conventions. [mask.convention] */
export const conventions = {
  immediate: {
    name: "immediate",
    source: { package: paper, version: arxiv, where: "section 2.3 and appendix A.1.3 (phi)" },
    numbering: "inclusive",
    compare: "equal",
    emptyRow: "zero",
    silentBeforeFirstImage: false,
    note: "A token sees the last image at or before it; a token that sees no image adds nothing.",
  },
  "all-previous": {
    name: "all-previous",
    source: { package: paper, version: arxiv, where: "table 10, ablation (ii)" },
    numbering: "inclusive",
    compare: "at-least",
    emptyRow: "zero",
    silentBeforeFirstImage: false,
    note: "A token sees every image at or before it; a token that sees no image adds nothing.",
  },
  "flamingo-pytorch@0.1.2 immediate": {
    name: "flamingo-pytorch@0.1.2 immediate",
    source: {
      package: "flamingo-pytorch",
      version: "0.1.2",
      where: `${forward}, only_attend_immediate_media=True`,
    },
    numbering: "inclusive",
    compare: "equal",
    emptyRow: "uniform",
    silentBeforeFirstImage: true,
    note: "As immediate, but a token whose image was not given averages all images: only text_time = 0 is silenced.",
  },
  "flamingo-pytorch@0.1.2 all-previous": {
    name: "flamingo-pytorch@0.1.2 all-previous",
    source: {
      package: "flamingo-pytorch",
      version: "0.1.2",
      where: `${forward}, only_attend_immediate_media=False`,
    },
    numbering: "inclusive",
    compare: "at-least",
    emptyRow: "uniform",
    silentBeforeFirstImage: false,
    note: "As all-previous, but text before the first image averages all images, those that come later included.",
  },
} as const satisfies Record<string, Convention>;

export type ConventionName = keyof typeof conventions;
