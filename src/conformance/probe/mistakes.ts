// Known mistakes as they look from outside: what each makes of a row's effect, beside the convention it departs from.
import { type Convention, conventions } from "../../masks/conventions/conventions.ts";
import { EFFECT, effectOf } from "../../masks/exhaustive/effect.ts";
import { numbersOf, TOKEN, visibilityOf } from "../../masks/numbering.ts";
import { maskRows } from "../../masks/rows.ts";
import { emptyRows } from "../mutants/catalogue/empty-rows.ts";
import { masks } from "../mutants/catalogue/masks.ts";
import { compares } from "../mutants/visibility.ts";

type Prompts = readonly (readonly number[])[];

/** One prompt of a batch, under the convention from which the mistake departs. */
interface Place {
  readonly kinds: readonly number[];
  readonly first: readonly number[];
  readonly images: number;
  readonly convention: Convention;
}

/** What becomes of position l: the images it may attend, from 1. */
interface Outcome {
  readonly seen: readonly number[];
  readonly zeroed?: boolean;
  readonly emptyRow?: Convention["emptyRow"];
  readonly fed?: boolean;
}

export interface Mistake {
  /** As in the table of mutants. */
  readonly id: string;
  readonly number: number;
  readonly title: string;
  readonly seenIn: string;
}

const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i + 1);
const isImage = (kind: number | undefined): number => Number(kind === TOKEN.image);

/** By another way of counting, compared and silenced as the convention has it. */
const counted = ({ convention, images }: Place, time: number): Outcome => ({
  seen: upTo(images).filter((m) => compares(convention, time, m)),
  zeroed: convention.zeroBeforeFirstImage && time === 0,
});

/** What the convention itself does. */
function right({ kinds, images, convention }: Place, l: number): Required<Outcome> {
  const seen = (visibilityOf(kinds, images, convention)[l] ?? []).flatMap((may, m) => (may ? [m + 1] : []));
  const zeroed = convention.zeroBeforeFirstImage && (numbersOf(kinds, convention)[l] ?? 0) === 0;
  const fed = convention.emptyRowFeedForward === "run" || seen.length > 0;
  return { seen, zeroed, emptyRow: convention.emptyRow, fed };
}

const timeAt = ({ kinds }: Place, l: number): number =>
  kinds.slice(0, l + 1).filter((kind) => isImage(kind)).length;
const nextAt = (place: Place, l: number): number => {
  const next = timeAt(place, l) + 1 - isImage(place.kinds[l]);
  return next > timeAt(place, place.kinds.length - 1) ? 0 : next;
};

/** By the names that the table of mutants has; what is not said is right. */
const outcomes: Readonly<Record<string, (place: Place, l: number) => Outcome>> = {
  "at-least": (place, l) => ({ seen: upTo(place.images).filter((m) => timeAt(place, l) >= m) }),
  "exclusive-count": (place, l) => counted(place, timeAt(place, l) - isImage(place.kinds[l])),
  "image-token-sees-nothing": (place, l) =>
    isImage(place.kinds[l]) ? { seen: [], zeroed: true } : right(place, l),
  "images-from-zero": (place, l) => ({
    seen: upTo(place.images).filter((m) => compares(place.convention, timeAt(place, l), m - 1)),
  }),
  "next-image": (place, l) => counted(place, nextAt(place, l)),
  "first-prompt-for-all": (place, l) => right({ ...place, kinds: place.first }, l),
  "no-zeroing": (place, l) => ({ ...right(place, l), zeroed: false }),
  "zeroing-discarded": (place, l) => ({ ...right(place, l), zeroed: false }),
  "zeroing-of-feed-forward": (place, l) => {
    const { seen, zeroed } = right(place, l);
    return { seen, zeroed: false, fed: !zeroed };
  },
  "zeroing-of-every-empty-row": (place, l) => ({ ...right(place, l), emptyRow: "zero" }),
  "empty-rows-unmasked": (place, l) => ({ ...right(place, l), emptyRow: "unmasked", zeroed: false }),
  "mask-of-zeros": (place) => ({ seen: upTo(place.images), zeroed: false }),
};

export const mistakes: readonly Mistake[] = [...masks, ...emptyRows]
  .filter(({ id }) => id in outcomes)
  .map(({ id, number, title, seenIn }) => ({ id, number, title, seenIn }))
  .sort((a, b) => a.number - b.number);

/** Mistakes that only cached steps, or only calls without locations, show. */
export const restarting: Mistake = {
  id: "counting-restarts",
  number: 10,
  title: "Each cached step counts images from 0: after the prompt no token sees one",
  seenIn: "a comment in OpenFlamingo's flamingo_lm.py; flamingo-mini #6; Otter",
};
export const causal: Mistake = {
  id: "causal-without-mask",
  number: 13,
  title: "Without a mask the cross-attention is silently causal",
  seenIn: "Mllama, transformers #48172",
};

const bitsOf = (images: readonly number[]): number => images.reduce((bits, m) => bits | (1 << (m - 1)), 0);

function effectOfFate(fate: Required<Outcome>, images: number): number {
  const fed = fate.fed ? EFFECT.feedForward : 0;
  if (fate.zeroed) return fed;
  if (fate.seen.length > 0) return bitsOf(fate.seen) | EFFECT.weighs | fed;
  const all = bitsOf(upTo(images));
  const empty = { zero: 0, uniform: all, unmasked: all | EFFECT.weighs, nan: EFFECT.nan };
  return empty[fate.emptyRow] | fed;
}

/** What a mistake makes of every row, beside a convention. [probe.mistakes] */
export const effectsOfMistake = (
  id: string,
  convention: Convention,
  prompts: Prompts,
  images: number,
): number[][] =>
  prompts.map((kinds) =>
    kinds.map((_, l) => {
      const place = { kinds, first: prompts[0] ?? [], images, convention };
      return effectOfFate({ ...right(place, l), ...outcomes[id]?.(place, l) }, images); // [probe.mistakes]
    }),
  );

export const effectsOfConvention = (convention: Convention, prompts: Prompts, images: number): number[][] =>
  maskRows(
    { shape: [prompts.length, prompts[0]?.length ?? 0], data: prompts.flat() },
    images,
    convention,
  ).map((rows) => rows.map((row) => effectOf(row, convention)));

/** The conventions from which mistakes depart: the released package's and the corrected ones. */
export const baseConventions: readonly Convention[] = [
  conventions["flamingo-pytorch@0.1.2 immediate"],
  conventions["flamingo-pytorch@0.1.2 all-previous"],
  conventions.immediate,
  conventions["all-previous"],
];
