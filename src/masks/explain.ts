// The reason for each row, as values: the positions and images to count from. sentences.ts turns them into text.

import type { Convention, Numbering } from "./conventions/schema.ts";
import { TOKEN } from "./numbering.ts";
import type { RowOutcome } from "./outcome.ts";
import type { MaskRow, StepOrigin } from "./rows.ts";

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
  /** The positions of the images' tokens. `rank`: which image it is among those that the position counts. */
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

export type Reason =
  | {
      readonly kind: "seen";
      readonly position: number;
      readonly images: readonly number[];
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
      readonly reason: Reason;
    };

/**
 * The reason for a row, or for one image in a row that attends to others. `kinds` are the tokens of the row's prompt (1 is
 * an image). [mask.reason]
 */
export function explain(
  row: MaskRow,
  kinds: readonly number[],
  convention: Convention,
  image?: number,
): Reason {
  const { position, origin } = row;
  if (origin) {
    const { origin: _, ...own } = { ...row, position: origin.position };
    const reason = explain(own, origin.kinds, convention, origin.how ? undefined : image);
    return origin.how ? { kind: "cached", position, how: origin.how, reason } : reason;
  }
  if (row.outcome !== "attends") return emptyReason(row, row.outcome, kinds, convention);
  const images = image === undefined ? row.images : [image];
  if (image === undefined || row.images.includes(image)) {
    return { kind: "seen", position, images, because: seenBecause(row, kinds, convention, images) }; // [mask.reason]
  }
  return { kind: "unseen", position, image, because: unseenBecause(row, kinds, convention, image) }; // [mask.reason]
}

function emptyReason(
  row: MaskRow,
  outcome: Exclude<RowOutcome, "attends">,
  kinds: readonly number[],
  convention: Convention,
): Reason {
  const { position } = row;
  const zeroedAfter = outcome === "zeroed" && convention.emptyRow !== "zero" && row.mayAttend.length > 0;
  const result = zeroedAfter ? "zeroed-after-softmax" : outcome;
  return { kind: "empty", position, because: emptyBecause(row, kinds, convention), result }; // [mask.reason]
}

const positionsOfImages = (kinds: readonly number[]): number[] =>
  kinds.flatMap((kind, position) => (kind === TOKEN.image ? [position] : []));

const isListed = ({ compare }: Convention): boolean => typeof compare === "object" && "explicit" in compare;

/** The position of the end token that cuts a position off from the images before it, or -1. */
function cutAt(position: number, kinds: readonly number[], { endTokens }: Convention): number {
  if (endTokens === "ignored") return -1;
  const before = kinds.slice(0, position);
  const end = before.lastIndexOf(TOKEN.end);
  const since = kinds.slice(end, position + 1);
  return since.includes(TOKEN.image) ? -1 : before.indexOf(TOKEN.end, before.lastIndexOf(TOKEN.image) + 1);
}

function emptyBecause(row: MaskRow, kinds: readonly number[], convention: Convention): EmptyBecause {
  const { position, number, mayAttend } = row;
  const images = mayAttend.length;
  if (images === 0) return { kind: "no-images" };
  if (isListed(convention)) return { kind: "not-listed" };
  if (number > 0) return { kind: "not-given", image: number, images };
  const cut = cutAt(position, kinds, convention);
  if (cut >= 0 && kinds.slice(0, cut).includes(TOKEN.image)) return { kind: "end-token", position: cut };
  return { kind: convention.numbering === "next" ? "no-image-after" : "no-image-before" };
}

function seenBecause(
  row: MaskRow,
  kinds: readonly number[],
  convention: Convention,
  images: readonly number[],
): SeenBecause {
  const { compare, numbering } = convention;
  const { number, mayAttend } = row;
  if (compare === "everything") return { kind: "no-mask" };
  if (isListed(convention)) return { kind: "listed" };
  if (number > mayAttend.length) {
    return { kind: "fewer-images", tokens: number, images: mayAttend.length, numbering };
  }
  const at = positionsOfImages(kinds);
  const positions = images.map((image) => at[image - 1] ?? 0);
  if (images.length === 1 && positions[0] === row.position) return { kind: "own-token" };
  const only = compare === "at-least" && row.images.length === 1;
  const rank = numbering === "next" ? "next" : images.at(-1) !== number ? "earlier" : only ? "only" : "last";
  const neighbours = convention.neighbours === "together" && compare === "equal" && images.length > 1;
  return { kind: "located", positions, numbering, rank, neighbours };
}

function unseenBecause(
  row: MaskRow,
  kinds: readonly number[],
  convention: Convention,
  image: number,
): UnseenBecause {
  if (image > row.mayAttend.length) return { kind: "not-given", images: row.mayAttend.length };
  if (isListed(convention)) return { kind: "not-listed" };
  const at = positionsOfImages(kinds);
  const own = at[image - 1];
  const seen = row.images.at(-1) ?? 0;
  if (own === undefined) return { kind: "no-token" };
  if (own > row.position) return { kind: "later", position: own };
  if (image < seen) return { kind: "superseded", by: seen, position: at[seen - 1] ?? 0 };
  return { kind: "own-token" };
}
