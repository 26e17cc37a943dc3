// The text beside the grid: a token's row under each convention, the reason for it, and the difference.

import type { Convention } from "../../masks/conventions/conventions.ts";
import { rangesText } from "../../masks/counting/image-ranges.ts";
import { differingCells } from "../../masks/difference.ts";
import { outcomeLabel, type RowOutcome } from "../../masks/outcome.ts";
import { PADDING, type PromptToken } from "../../masks/prompts/prompt.ts";
import type { MaskRow } from "../../masks/rows.ts";
import { asSentence, counted, reasonClause } from "../../masks/sentences.ts";
import { label } from "../../terminal/width.ts";
import type { Place } from "./state.ts";
import type { Band, View } from "./view.ts";

const LONGEST_LABEL = 40;

/** A token on one line, without control characters and shortened. */
export const tokenLabel = ({ text }: PromptToken): string =>
  label(text.slice(0, 2 * LONGEST_LABEL), LONGEST_LABEL);

const imagesText = ({ reaching }: MaskRow): string => rangesText(reaching).replaceAll("-", "–");

/** The label under a token. */
export function shortOutcome(row: MaskRow): string {
  const { outcome } = row;
  if (outcome === "attends") return imagesText(row);
  const short: Record<Exclude<RowOutcome, "attends">, string> = {
    zeroed: "–",
    identity: "=",
    "uniform-leak": "leak",
    "unmasked-leak": "leak",
    nan: "NaN",
  };
  return short[outcome];
}

/** The full label: attends 1, 2. */
export const fullOutcome = (row: MaskRow): string =>
  row.outcome === "attends" ? `attends ${imagesText(row).replaceAll(",", ", ")}` : outcomeLabel(row.outcome);

export const meanings: Readonly<Record<RowOutcome, string>> = {
  attends: "a softmax over the images that it may attend to",
  zeroed: "attention adds nothing to the row",
  identity: "neither attention nor the feed-forward changes the row",
  "uniform-leak": "the plain average of all images, whatever the text",
  "unmasked-leak": "a softmax over all images, as if there were no mask",
  nan: "NaN: the softmax of a row without any key",
};

export interface Explained {
  readonly convention: Convention;
  readonly outcome: RowOutcome;
  readonly label: string;
  /** The position's text_time. */
  readonly number: number;
  /** The reason for the image that is pointed at, if any, and the reason for the row. */
  readonly sentences: readonly string[];
  readonly stepDiffers: boolean;
}

export interface Explanation {
  readonly title: string;
  readonly image: number;
  readonly differs: boolean;
  /** Whether decoding has not reached the token, whose row is then that of the whole text. */
  readonly isLater: boolean;
  readonly bands: readonly Explained[];
}

function explained({ row, explain, stepDiffers }: Band, convention: Convention, image: number): Explained {
  const reasons = [...(image > 0 && row.outcome === "attends" ? [explain(image)] : []), explain()];
  const sentences = reasons.map((reason) => asSentence(reasonClause(reason)));
  const { outcome, number } = row;
  return {
    convention,
    outcome,
    label: fullOutcome(row),
    number,
    sentences: [...new Set(sentences)],
    stepDiffers,
  };
}

/** Null where there is no such token. */
export function explanationOf(view: View, at: Place): Explanation | null {
  const token = view.prompts[at.prompt]?.[at.position];
  if (!token) return null;
  const image = at.image <= view.batch.images ? at.image : 0;
  const own = token.bands[0]?.row.image ?? 0;
  const name = own > 0 ? `image ${own}` : `“${tokenLabel(token.token)}”`;
  const subject = view.prompts.length > 1 ? `Prompt ${at.prompt}, position` : "Position";
  const padding = token.token.padding && token.token.text !== PADDING.text;
  return {
    title: `${subject} ${at.position}: ${name}${padding ? " (padding)" : ""}`,
    image,
    differs: token.differs,
    isLater: token.when === "later",
    bands: token.bands.flatMap((band, c) => {
      const convention = view.conventions[c];
      return convention ? [explained(band, convention, image)] : [];
    }),
  };
}

/** The difference of the two conventions on the batch, as a sentence, and the first place in which they differ; null with one
 * convention. */
export function differenceInWords(view: View): { sentence: string; at: Place | null } | null {
  const [one, other] = view.conventions;
  if (!one || !other) return null;
  const places = view.prompts.flatMap((tokens, prompt) =>
    tokens.filter(({ differs }) => differs).map(({ position, bands }) => ({ prompt, position, bands })),
  );
  const [first] = places;
  if (!first) {
    const sentence = `${one.name} and ${other.name} agree on every row of this batch, which cannot distinguish them.`;
    return { sentence, at: null };
  }
  const cells = view.prompts.flat().reduce((sum, { bands: [a, b] }) => {
    return sum + (a && b ? differingCells(a.row, b.row) : 0);
  }, 0);
  const masks = cells === 0 ? "although the masks are equal" : `in ${counted(cells, "cell")} of the mask`;
  const image = (first.bands[0]?.differing().indexOf(true) ?? -1) + 1;
  const where = `position ${first.position}${image > 0 ? `, image ${image}` : ""}`;
  const rows = `${counted(places.length, "row")} ${places.length === 1 ? "differs" : "differ"}`;
  return {
    sentence: `${rows}, ${masks}; the first is prompt ${first.prompt}, ${where}.`,
    at: { prompt: first.prompt, position: first.position, image },
  };
}
