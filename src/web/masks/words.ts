// The explanation beside the grid: what a token's row is, why, and what the other convention makes of it.
import type { Convention } from "../../masks/conventions/conventions.ts";
import { explain } from "../../masks/explain.ts";
import { OUTCOME_LABELS, type RowOutcome } from "../../masks/outcome.ts";
import type { MaskRow } from "../../masks/rows.ts";
import type { Place } from "./state.ts";
import type { Band, View } from "./view.ts";

const range = (images: readonly number[]): string => {
  const [first = 0, last = 0] = [images[0], images.at(-1)];
  const gapless = last - first === images.length - 1;
  return images.length > 3 && gapless ? `${first}–${last}` : images.join(",");
};

/** Under a token, where there is little room. */
export function brief({ outcome: kind, images }: MaskRow): string {
  if (kind === "attends") return range(images);
  const short: Record<Exclude<RowOutcome, "attends">, string> = {
    zeroed: "–",
    identity: "=",
    "uniform-leak": "leak",
    "unmasked-leak": "leak",
    nan: "NaN",
  };
  return short[kind];
}

/** In full. */
export const verdict = ({ outcome: kind, images }: MaskRow): string =>
  kind === "attends" ? `attends ${range(images).replaceAll(",", ", ")}` : OUTCOME_LABELS[kind];

export const meanings: Readonly<Record<RowOutcome, string>> = {
  attends: "a softmax over the images it may attend",
  zeroed: "attention adds nothing to the row",
  identity: "neither attention nor the feed-forward changes the row",
  "uniform-leak": "the plain average of all images, whatever the text",
  "unmasked-leak": "a softmax over all images, as if there were no mask",
  nan: "no number at all",
};

export interface Explained {
  readonly convention: Convention;
  readonly class: RowOutcome;
  readonly verdict: string;
  readonly number: number;
  /** About the image first, where one is meant. */
  readonly sentences: readonly string[];
  readonly strays: boolean;
}

export interface Explanation {
  readonly title: string;
  readonly image: number;
  readonly differs: boolean;
  readonly bands: readonly Explained[];
}

const sentence = (text: string): string => `${text.slice(0, 1).toUpperCase()}${text.slice(1)}.`;

/** Null where there is no such token. */
export function explanationOf(view: View, at: Place): Explanation | null {
  const tokens = view.prompts[at.prompt];
  const here = tokens?.[at.position];
  if (!tokens || !here) return null;
  const kinds = tokens.map(({ token }) => token.kind);
  const image = at.image <= view.batch.images ? at.image : 0;
  const own = here.bands[0]?.row.image ?? 0;
  const name = own > 0 ? `image ${own}` : `“${here.token.text}”`;
  const which = view.prompts.length > 1 ? `Prompt ${at.prompt}, position` : "Position";

  const told = ({ row, strays }: Band, convention: Convention): Explained => {
    const asked = image > 0 && !strays ? explain(row, kinds, convention, image) : row.reason;
    const sentences = asked === row.reason ? [row.reason] : [asked, row.reason];
    return {
      convention,
      class: row.outcome,
      verdict: verdict(row),
      number: row.number,
      sentences: sentences.map(sentence),
      strays,
    };
  };
  return {
    title: `${which} ${at.position}: ${name}${here.token.padding && !/pad/.test(name) ? " (padding)" : ""}`,
    image,
    differs: here.differs,
    bands: here.bands.flatMap((band, c) => {
      const convention = view.conventions[c];
      return convention ? [told(band, convention)] : [];
    }),
  };
}

const plural = (n: number, noun: string): string => `${n} ${noun}${n === 1 ? "" : "s"}`;

/** What the two conventions make of the batch, in a sentence, and where they part first. */
export function differenceInWords(view: View): { sentence: string; at: Place | null } | null {
  const [one, other] = view.conventions;
  if (!one || !other) return null;
  const places = view.prompts.flatMap((tokens, prompt) =>
    tokens.filter(({ differs }) => differs).map(({ position, bands }) => ({ prompt, position, bands })),
  );
  const [first] = places;
  if (!first) {
    return {
      sentence: `${one.name} and ${other.name} agree on every row of this: it cannot tell them apart.`,
      at: null,
    };
  }
  const cells = view.prompts.flat().reduce((sum, { bands }) => {
    const [a, b] = bands;
    return sum + (a?.row.mayAttend.filter((may, m) => may !== b?.row.mayAttend[m]).length ?? 0);
  }, 0);
  const masks = cells === 0 ? "though the masks are equal" : `with ${plural(cells, "cell")} of the mask`;
  const image = (first.bands[0]?.parts.indexOf(true) ?? -1) + 1;
  const where = `position ${first.position}${image > 0 ? `, image ${image}` : ""}`;
  return {
    sentence: `${plural(places.length, "row")} ${places.length === 1 ? "differs" : "differ"}, ${masks}; the first is prompt ${first.prompt}, ${where}.`,
    at: { prompt: first.prompt, position: first.position, image },
  };
}
