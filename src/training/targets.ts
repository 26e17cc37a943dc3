// Next-token targets for interleaved text and images.

import { IGNORED } from "../nn/cross-entropy.ts";
import { type Check, checked, nullable, oneOf, optional, passing, whole } from "../nn/options.ts";
import { RuleError } from "../tensor/errors.ts";
import { shapes } from "../tensor/pattern.ts";
import { Bool, Int } from "../tensor/tensor.ts";

/** What has no target: images and padding. */
export interface TargetOptions {
  readonly mediaTokenId?: number | null | undefined;
  /** True at tokens, false at padding: the attention mask of the batch. It decides alone; ids do not count as padding then. */
  readonly mask?: Bool<"b l"> | null | undefined;
  /** The number of tokens of each row, padded on the right: another form of `mask`. */
  readonly lengths?: readonly number[] | null | undefined;
  /** The token that pads shorter rows of a batch, where neither mask nor lengths are known. */
  readonly padTokenId?: number | null | undefined;
  /** The token that ends a text. If it is not `padTokenId`, every `padTokenId` is padding, wherever it stands. */
  readonly endTokenId?: number | null | undefined;
  /** "ignore": text before the first image of a row has no targets. Default "count". */
  readonly beforeFirstImage?: "count" | "ignore" | undefined;
}

const id: Check = optional(nullable(whole(-(2 ** 31), 2 ** 31 - 1)));
const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && Number(value) >= 0;
const checks: { readonly [K in keyof TargetOptions]-?: Check } = {
  mediaTokenId: id,
  mask: optional(nullable(passing("booleans b l, as bool() makes them", (value) => value instanceof Bool))),
  lengths: optional(
    nullable(passing("a list of whole numbers", (value) => Array.isArray(value) && value.every(isCount))),
  ),
  padTokenId: id,
  endTokenId: id,
  beforeFirstImage: optional(oneOf(["count", "ignore"])),
};

/**
 * The target of each position is the next token, or IGNORED at the last position and before image and padding tokens. Throws a
 * RuleError if an option is none of these, and a ShapeError if mask or lengths are those of another batch.
 */
export function nextTokens(text: Int<"b l">, options: TargetOptions = {}): Int<"b l"> {
  shapes("nextTokens", { text: [text, "b l"] });
  if (!(text instanceof Int))
    throw new RuleError("text is a batch of token ids; int() makes it", "targets.next");
  const known = checked("nextTokens", options, checks);
  const { mediaTokenId = 3, beforeFirstImage = "count" } = known;
  const [b = 0, l = 0] = text.shape;
  const ids = text.flat();
  const isPadding = paddingOf(text, known);
  const targets = new Int32Array(ids.length).fill(IGNORED);
  for (let row = 0; row < b; row++) {
    let afterImage = false;
    for (let i = 0; i < l - 1; i++) {
      const at = row * l + i;
      const next = ids[at + 1] ?? IGNORED; // [targets.next]
      afterImage ||= ids[at] === mediaTokenId;
      if (next === mediaTokenId || isPadding[at + 1]) continue; // [targets.image]
      if (beforeFirstImage === "ignore" && !afterImage) continue; // [targets.before-first-image]
      targets[at] = next;
    }
  }
  return new Int(text.shape, targets);
}

/** 1 at every position that is padding. */
function paddingOf(text: Int<"b l">, options: TargetOptions): Uint8Array {
  const { mask = null, lengths = null, padTokenId = null, endTokenId = null } = options;
  const [b = 0, l = 0] = text.shape;
  if (mask && lengths)
    throw new RuleError("mask and lengths are two forms of one mask; give one of them", "targets.padding");
  if (mask) {
    shapes("nextTokens", { text: [text, "b l"], mask: [mask, "b l"] });
    return mask.flat().map((token) => Number(token === 0)); // [targets.padding]
  }
  if (lengths) {
    if (lengths.length !== b || lengths.some((n) => n > l))
      throw new RuleError(`lengths must have ${b} numbers of at most ${l}`, "targets.padding");
    return Uint8Array.from({ length: b * l }, (_, at) =>
      Number(at % l >= (lengths[Math.floor(at / l)] ?? 0)),
    ); // [targets.padding]
  }
  const ids = text.flat();
  const isPad = Uint8Array.from(ids, (token) => Number(token === padTokenId));
  if (padTokenId === null || (endTokenId !== null && endTokenId !== padTokenId)) return isPad;
  for (let row = 0; row < b; row++) keepEnds(isPad.subarray(row * l, (row + 1) * l)); // [targets.end]
  return isPad;
}

/**
 * Keeps as tokens those of a row's pad tokens that may be ends of texts: all but the run at the row's begin, and the run at its
 * end without that run's first token.
 */
function keepEnds(isPad: Uint8Array): void {
  const first = isPad.indexOf(0);
  const last = isPad.lastIndexOf(0);
  if (first < 0) return; // a row of padding
  isPad.fill(0, first, last + 2);
}
