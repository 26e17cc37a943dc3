// From text and places of images to the ids that a Kosmos reads, as unilm makes them (kosmos-2/unilm/data/vl/laion2b_loader.py of
// microsoft/unilm, `_prepare`; table 21 of KOSMOS-1, arXiv:2302.14045): <s> text <image> n slots </image> text </s>.
import { IGNORED } from "../../nn/cross-entropy.ts";
import {
  type Check,
  checked,
  checkValue,
  count,
  flag,
  nullable,
  object,
  optional,
  shown,
  whole,
} from "../../nn/options.ts";
import { RuleError } from "../../tensor/errors.ts";

/** A run of text, as token ids without special tokens around them, or the place of an image. */
export type KosmosSegment = "image" | readonly number[];

/** The ids of the special tokens. `bos` is null for a vocabulary without one, such as T5's. */
export interface KosmosTokens {
  readonly bos: number | null;
  readonly pad: number;
  readonly eos: number;
  readonly image: number;
  readonly imageEnd: number;
}

/** Special tokens and room of a sequence, in positions. */
export interface LayoutOptions {
  readonly tokens: KosmosTokens;
  /** The number of vectors that stand for an image: the latents of the resampler. Default 64. */
  readonly slots?: number | undefined;
  /** The most positions of the model, as its decoder has them. Default 2046: those of a table of 2048 rows, of which two are not read. */
  readonly maxPositions?: number | undefined;
  /** Whether `bos` is put before the segments. Default true. */
  readonly start?: boolean | undefined;
  /** Whether `eos` is put after them: false for a prompt that is to be continued. Default true. */
  readonly end?: boolean | undefined;
}

/** One sequence. All lists but `slots` have one entry for each position. */
export interface KosmosLayout {
  /** A slot has the id of the image token, as in unilm; its embedding is replaced by a vector of the image. */
  readonly ids: readonly number[];
  /** The index of every slot, image after image. */
  readonly slots: readonly number[];
  /** What each position is to predict: the next id, or −100 where there is no loss. */
  readonly targets: readonly number[];
}

/** Several sequences of one length. */
export interface KosmosBatch {
  readonly ids: readonly (readonly number[])[];
  readonly slots: readonly (readonly number[])[];
  readonly targets: readonly (readonly number[])[];
  /** Whether each position is a token or a slot, and not padding. */
  readonly mask: readonly (readonly boolean[])[];
}

const [SLOTS, MAX_POSITIONS] = [64, 2046];

const tokenId = whole(0, 2 ** 24);
const tokenChecks: { readonly [K in keyof KosmosTokens]-?: Check } = {
  bos: nullable(tokenId),
  pad: tokenId,
  eos: tokenId,
  image: tokenId,
  imageEnd: tokenId,
};

/** The special tokens, checked: each has an id of its own. */
export function checkedTokens(caller: string, tokens: KosmosTokens): KosmosTokens {
  const known = checked(`${caller}.tokens`, tokens, tokenChecks);
  const entries = Object.entries(known).filter(([, id]) => id !== null);
  for (const [i, [name, id]] of entries.entries()) {
    const twin = entries.slice(0, i).find(([, other]) => other === id);
    if (twin !== undefined)
      throw new RuleError(
        `${caller}: ${twin[0]} and ${name} have the same id ${id}; give each special token an id of its own`,
        "layout.special-ids",
      );
  }
  return known;
}

const checks: { readonly [K in keyof LayoutOptions]-?: Check } = {
  tokens: { wanted: "the ids of the special tokens", accepts: (value) => typeof value === "object" },
  slots: optional(count),
  maxPositions: optional(count),
  start: optional(flag),
  end: optional(flag),
};

/** Throws a RuleError for a value that is no list. */
function checkList(caller: string, name: string, value: unknown): void {
  if (Array.isArray(value)) return;
  throw new RuleError(`${caller}: ${name} are ${shown(value)}; give a list of them`, "options.values");
}

/** Throws a RuleError unless a segment is an image or ids of text. */
function checkSegment(segment: KosmosSegment, at: number, { image, imageEnd, pad }: KosmosTokens): void {
  if (segment === "image") return;
  if (!Array.isArray(segment))
    throw new RuleError(
      `kosmosLayout: segment ${at} is neither "image" nor a list of ids`,
      "layout.segments",
    );
  for (const id of segment) {
    checkValue("kosmosLayout", `an id of segment ${at}`, id, tokenId);
    if (id === image || id === imageEnd)
      throw new RuleError(
        `kosmosLayout: segment ${at} has the id ${id} of an image token among its text; write an image as the segment "image"`,
        "layout.segments",
      );
    if (id === pad)
      throw new RuleError(
        `kosmosLayout: segment ${at} has the id ${id} of padding among its text; kosmosBatch pads, at the right`,
        "layout.padding",
      );
  }
}

/** Throws a RuleError if a sequence has more positions than the model. */
function checkLength(length: number, images: number, slots: number, maxPositions: number): void {
  if (length <= maxPositions) return;
  const room = maxPositions - images * slots;
  const remedy =
    room < 2 * images + 2
      ? `${images} images of ${slots} slots leave no room for text: leave out images`
      : `shorten the text to ${room} ids, its special tokens included`;
  throw new RuleError(
    `kosmosLayout: ${length} positions are more than the ${maxPositions} of the model; ${remedy}, or build the decoder with a larger maxPositions`,
    "layout.length",
  );
}

/** What a text shares the positions of the model with. */
export interface TextLimitOptions extends Pick<LayoutOptions, "slots" | "maxPositions"> {
  /** The number of images in the text. Default 1. */
  readonly images?: number | undefined;
}

const limitChecks: { readonly [K in keyof TextLimitOptions]-?: Check } = {
  slots: checks.slots,
  maxPositions: checks.maxPositions,
  images: optional(whole(0, 2 ** 24)),
};

/**
 * The most ids of a text with `images` images, its special and image tokens included: 1982 for one image and 2046 positions.
 * Throws a RuleError for an option that is out of range.
 */
export function kosmosTextLimit(options: TextLimitOptions = {}): number {
  const known = checked("kosmosTextLimit", options, limitChecks);
  const { slots = SLOTS, maxPositions = MAX_POSITIONS, images = 1 } = known;
  return Math.max(0, maxPositions - images * slots); // [layout.length]
}

/**
 * The ids of one sequence: text and images in any order and number. Throws a RuleError for a segment that is neither, for text that
 * contains image tokens or padding, and for a sequence that the positions have no room for.
 */
export function kosmosLayout(segments: readonly KosmosSegment[], options: LayoutOptions): KosmosLayout {
  const known = checked("kosmosLayout", options, checks);
  const { slots: width = SLOTS, maxPositions = MAX_POSITIONS, start = true, end = true } = known;
  const tokens = checkedTokens("kosmosLayout", known.tokens);
  checkList("kosmosLayout", "segments", segments);
  for (const [at, segment] of segments.entries()) checkSegment(segment, at, tokens);
  const { bos, eos, image, imageEnd } = tokens;
  const before = start && bos !== null ? [bos] : [];
  const after = end ? [eos] : [];
  const images = segments.filter((segment) => segment === "image").length;
  const text = segments.reduce((sum, segment) => sum + (segment === "image" ? 0 : segment.length), 0);
  const length = before.length + text + images * (width + 2) + after.length;
  checkLength(length, images, width, maxPositions);
  const ids = [...before];
  const slots: number[] = [];
  for (const segment of segments)
    if (segment === "image") {
      ids.push(image);
      for (let i = 0; i < width; i++) slots.push(ids.push(image) - 1); // [layout.slots]
      ids.push(imageEnd); // [layout.order]
    } else for (const id of segment) ids.push(id);
  ids.push(...after);
  return { ids, slots, targets: targetsOf(ids, slots, tokens) };
}

/** The next id of each position, where it is predicted. */
export function targetsOf(
  ids: readonly number[],
  slots: readonly number[],
  { bos, image }: KosmosTokens,
): number[] {
  const isSlot = new Set(slots);
  return ids.map((id, at) => {
    const next = ids[at + 1];
    if (next === undefined || isSlot.has(at) || isSlot.has(at + 1)) return IGNORED; // [layout.targets]
    return at === 0 && id === bos && next === image ? IGNORED : next; // [layout.targets]
  });
}

/**
 * Sequences padded at the right to the length of the longest. Padding has no targets. Throws a RuleError unless the sequences are
 * a list and the padding is a token id.
 */
export function kosmosBatch(layouts: readonly KosmosLayout[], pad: number): KosmosBatch {
  checkList("kosmosBatch", "layouts", layouts);
  const isLayout = (one: unknown): boolean =>
    typeof one === "object" && one !== null && "ids" in one && "slots" in one && "targets" in one;
  const wrong = layouts.findIndex((one) => !isLayout(one));
  if (wrong >= 0)
    throw new RuleError(
      `kosmosBatch: layouts[${wrong}] is ${shown(layouts[wrong])}; make it with kosmosLayout`,
      "options.values",
    );
  checkValue("kosmosBatch", "pad", pad, tokenId);
  const longest = layouts.reduce((most, { ids }) => Math.max(most, ids.length), 0);
  const padded = (list: readonly number[], value: number): number[] => [
    ...list,
    ...new Array<number>(longest - list.length).fill(value),
  ];
  return {
    ids: layouts.map(({ ids }) => padded(ids, pad)), // [layout.padding]
    slots: layouts.map(({ slots }) => slots),
    targets: layouts.map(({ targets }) => padded(targets, IGNORED)), // [layout.padding]
    mask: layouts.map(({ ids }) => Array.from({ length: longest }, (_, at) => at < ids.length)),
  };
}

/**
 * The segments of ids in which every image is `<image>` followed by `</image>`, as a tokenizer makes them of a text with
 * "<image></image>". Throws a RuleError for one of the two tokens without the other beside it.
 */
export function kosmosSegments(
  ids: readonly number[],
  tokens: Pick<KosmosTokens, "image" | "imageEnd">,
): KosmosSegment[] {
  checkList("kosmosSegments", "ids", ids);
  checkValue("kosmosSegments", "tokens", tokens, object("the ids of the special tokens"));
  const { image, imageEnd } = tokens;
  for (const [name, id] of Object.entries({ image, imageEnd }))
    checkValue("kosmosSegments", name, id, tokenId);
  const segments: KosmosSegment[] = [];
  let text: number[] = [];
  for (let at = 0; at < ids.length; at++) {
    const id = ids[at] ?? Number.NaN;
    checkValue("kosmosSegments", `the id at ${at}`, id, tokenId);
    if (id !== image && id !== imageEnd) {
      text.push(id);
      continue;
    }
    if (id === imageEnd || ids[at + 1] !== imageEnd)
      throw new RuleError(
        `kosmosSegments: the id ${id} at ${at} is an image token without its partner; an image is ${image} followed by ${imageEnd}`,
        "layout.pairs",
      );
    if (text.length > 0) segments.push(text);
    segments.push("image");
    text = [];
    at++;
  }
  if (text.length > 0) segments.push(text);
  return segments;
}
