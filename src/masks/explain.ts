// The reason for each row, as values: the positions and images to count from. sentences.ts turns them into text.

import type { Convention, Numbering } from "./conventions/schema.ts";
import {
  imagesUpTo,
  partOf,
  positionOfImage,
  type TextLike,
  type TextPart,
} from "./counting/counted-text.ts";
import { countOf, hasImage, type ImageRanges, imagesIn } from "./counting/image-ranges.ts";
import type { RowOutcome } from "./outcome.ts";
import { MaskRow, type RowFields, type StepOrigin } from "./rows.ts";

/** The reason why a row sees images. */
export type SeenBecause =
  | { readonly kind: "no-mask" }
  | { readonly kind: "listed" }
  | { readonly kind: "own-token" }
  /** The position counts more image tokens than there are images. */
  | {
      readonly kind: "fewer-images";
      readonly tokens: number;
      readonly images: number;
      readonly numbering: Numbering;
    }
  /** The positions of the images' tokens; of more than three images that of the last alone. `rank`: which image it is among those
   * that the position counts. */
  | {
      readonly kind: "located";
      readonly positions: readonly number[];
      readonly numbering: Numbering;
      readonly rank: "next" | "only" | "last" | "earlier";
      readonly neighbours: boolean;
    };

/** The reason why a row that sees images does not see another one. */
export type UnseenBecause =
  | { readonly kind: "not-given"; readonly images: number }
  | { readonly kind: "not-listed" }
  | { readonly kind: "no-token" }
  | { readonly kind: "later"; readonly position: number }
  | { readonly kind: "superseded"; readonly by: number; readonly position: number }
  | { readonly kind: "own-token" };

/** The reason why the mask of a row allows no image. */
export type EmptyBecause =
  | { readonly kind: "no-images" }
  | { readonly kind: "not-given"; readonly image: number; readonly images: number }
  | { readonly kind: "not-listed" }
  | { readonly kind: "end-token"; readonly position: number }
  | { readonly kind: "no-image-before" }
  | { readonly kind: "no-image-after" };

/** The result for an empty row. A row is zeroed either by the mask or after the softmax. */
export type EmptyRowResult = Exclude<RowOutcome, "attends"> | "zeroed-after-softmax";

/** Why a position sees its images, does not see one, or sees none. `reasonClause` makes a clause of it. */
export type RowReason =
  | {
      readonly kind: "seen";
      readonly position: number;
      readonly images: ImageRanges;
      readonly because: SeenBecause;
    }
  | {
      readonly kind: "unseen";
      readonly position: number;
      readonly image: number;
      readonly because: UnseenBecause;
    }
  | {
      readonly kind: "empty";
      readonly position: number;
      readonly because: EmptyBecause;
      readonly result: EmptyRowResult;
    }
  /** A cached step uses another row, which has a reason of its own. */
  | {
      readonly kind: "cached";
      readonly position: number;
      readonly how: StepOrigin;
      readonly reason: RowReason;
    };

/**
 * The reason for a row, or for one image in a row that attends to others. `text` is the row's prompt, as the kinds of its
 * tokens. [mask.reason]
 */
export function explainRow(row: MaskRow, text: TextLike, convention: Convention, image?: number): RowReason {
  const { position, origin } = row;
  if (origin) {
    const { how, part } = origin;
    const own = new MaskRow({ ...rowFields(row), position: origin.position });
    const reason = explainRow(own, part, convention, how ? undefined : image);
    return how ? { kind: "cached", position, how, reason } : reason;
  }
  const part = partOf(text);
  if (row.outcome !== "attends") return emptyReason(row, row.outcome, part, convention);
  if (image === undefined || hasImage(row.reaching, image)) {
    const images: ImageRanges = image === undefined ? row.reaching : [[image, image]];
    return { kind: "seen", position, images, because: seenBecause(row, part, convention, images) }; // [mask.reason]
  }
  return { kind: "unseen", position, image, because: unseenBecause(row, part, convention, image) }; // [mask.reason]
}

/** The fields of a row but its origin. */
const rowFields = ({ origin: _, ...fields }: MaskRow): RowFields => fields;

function emptyReason(
  row: MaskRow,
  outcome: Exclude<RowOutcome, "attends">,
  part: TextPart,
  convention: Convention,
): RowReason {
  const { position } = row;
  const zeroedAfter = outcome === "zeroed" && convention.emptyRow !== "zero" && row.imageCount > 0;
  const result = zeroedAfter ? "zeroed-after-softmax" : outcome;
  return { kind: "empty", position, because: emptyBecause(row, part, convention), result }; // [mask.reason]
}

/** The first end token after the last image of the part before position l of the text, if it lies before l; otherwise −1. */
function firstCut(part: TextPart, l: number): number {
  const { cutAt } = part.text;
  const image = positionOfImage(part, imagesUpTo(part, l));
  if (image === undefined || (cutAt[l] ?? -1) < 0) return -1;
  let [low, high] = [part.from + image + 1, l];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((cutAt[middle] ?? -1) < 0) low = middle + 1;
    else high = middle;
  }
  return low - 1; // the positions after it are cut off
}

const isListed = ({ compare }: Convention): boolean => typeof compare === "object" && "explicit" in compare;

function emptyBecause(row: MaskRow, part: TextPart, convention: Convention): EmptyBecause {
  const { position, number, imageCount: images } = row;
  if (images === 0) return { kind: "no-images" };
  if (isListed(convention)) return { kind: "not-listed" };
  if (number > 0) return { kind: "not-given", image: number, images };
  const cut = convention.endTokens === "cut" ? firstCut(part, part.from + position) : -1;
  if (cut >= 0) return { kind: "end-token", position: cut - part.from };
  return { kind: convention.numbering === "next" ? "no-image-after" : "no-image-before" };
}

function seenBecause(row: MaskRow, part: TextPart, convention: Convention, images: ImageRanges): SeenBecause {
  const { compare, numbering } = convention;
  const { number, imageCount } = row;
  if (compare === "everything") return { kind: "no-mask" };
  if (isListed(convention)) return { kind: "listed" };
  if (number > imageCount) return { kind: "fewer-images", tokens: number, images: imageCount, numbering };
  const count = countOf(images);
  const last = images.at(-1)?.[1] ?? 0;
  const positions = (count > 3 ? [last] : imagesIn(images)).map((image) => positionOfImage(part, image) ?? 0);
  if (count === 1 && positions[0] === row.position) return { kind: "own-token" };
  const only = compare === "at-least" && countOf(row.reaching) === 1;
  const rank = numbering === "next" ? "next" : last !== number ? "earlier" : only ? "only" : "last";
  const neighbours = convention.neighbours === "together" && compare === "equal" && count > 1;
  return { kind: "located", positions, numbering, rank, neighbours };
}

function unseenBecause(row: MaskRow, part: TextPart, convention: Convention, image: number): UnseenBecause {
  if (image > row.imageCount) return { kind: "not-given", images: row.imageCount };
  if (isListed(convention)) return { kind: "not-listed" };
  const own = positionOfImage(part, image);
  const seen = row.reaching.at(-1)?.[1] ?? 0;
  if (own === undefined) return { kind: "no-token" };
  if (own > row.position) return { kind: "later", position: own };
  if (image < seen) return { kind: "superseded", by: seen, position: positionOfImage(part, seen) ?? 0 };
  return { kind: "own-token" };
}
