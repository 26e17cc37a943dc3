// A convention in words, from its fields alone: for combinations that have no name.
import type { Convention } from "../../../masks/conventions/schema.ts";

/** The images that a token sees. */
function seenPhrase({ compare, numbering }: Convention): string {
  if (compare === "everything") return "every token sees every image";
  if (typeof compare === "object" && "explicit" in compare)
    return "each token sees a list of images of its own";
  const images = {
    inclusive: "at or before it",
    exclusive: "before it, so that an image's own token does not see that image",
    next: "up to the next one, and none after the last image",
  }[numbering];
  if (compare === "at-least") return `a token sees every image ${images}`;
  if (typeof compare === "object") return `a token sees the last ${compare.last} images ${images}`;
  return numbering === "next"
    ? "a token sees the next image, and none after the last image"
    : `a token sees the last image ${images}`;
}

const emptyRowPhrases = {
  zero: "adds nothing",
  uniform: "averages all images",
  unmasked: "attends to all images",
  nan: "becomes NaN",
} as const;

/** The behaviour of a convention as clauses. [probe.combinations] */
export function combinationPhrase(convention: Convention): string {
  const { neighbours, endTokens, emptyRow, zeroBeforeFirstImage, emptyRowFeedForward } = convention;
  const clauses = [
    seenPhrase(convention),
    neighbours === "together" ? "neighbouring images are seen together" : "",
    endTokens === "cut" ? "an end token hides the images before it" : "",
    `a row without an image ${emptyRowPhrases[emptyRow]}`,
    zeroBeforeFirstImage ? "rows that count no image are set to zero" : "",
    emptyRowFeedForward === "skip" ? "the feed-forward skips rows without an image" : "",
  ];
  return clauses.filter((clause) => clause !== "").join("; ");
}
