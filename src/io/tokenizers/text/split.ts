// Splitting at the matches of a pattern, with the five behaviours of Hugging Face's tokenizers
// (tokenizers/src/tokenizer/normalizer.rs, `NormalizedString::split`).

import { classifiable } from "./unicode-ages.ts";

export type Behavior = "Removed" | "Isolated" | "MergedWithPrevious" | "MergedWithNext" | "Contiguous";

interface Span {
  start: number;
  end: number;
  readonly isMatch: boolean;
}

/** Spans that cover the text, in order. */
function spansOf(text: string, seen: string, pattern: RegExp, invert: boolean): Span[] {
  const spans: Span[] = [];
  let last = 0;
  for (const match of seen.matchAll(pattern)) {
    const end = match.index + match[0].length;
    if (last !== match.index) spans.push({ start: last, end: match.index, isMatch: invert });
    spans.push({ start: match.index, end, isMatch: !invert });
    last = end;
  }
  if (last !== text.length) spans.push({ start: last, end: text.length, isMatch: invert });
  return spans;
}

/** Joins spans to their neighbours; `joins` decides from a span and whether the one before it, in this order, is a match. */
function merged(spans: readonly Span[], joins: (isMatch: boolean, previous: boolean) => boolean): Span[] {
  const result: Span[] = [];
  let previous = false;
  for (const span of spans) {
    const last = result.at(-1);
    if (last !== undefined && joins(span.isMatch, previous)) {
      last.start = Math.min(last.start, span.start);
      last.end = Math.max(last.end, span.end);
    } else result.push({ ...span });
    previous = span.isMatch;
  }
  return result;
}

const BEHAVIORS: Readonly<Record<Behavior, (spans: readonly Span[]) => readonly Span[]>> = {
  Removed: (spans) => spans.filter((span) => !span.isMatch),
  Isolated: (spans) => spans,
  Contiguous: (spans) => merged(spans, (isMatch, previous) => isMatch === previous),
  MergedWithPrevious: (spans) => merged(spans, (isMatch, previous) => isMatch && !previous),
  MergedWithNext: (spans) =>
    merged(spans.toReversed(), (isMatch, previous) => isMatch && !previous).reverse(),
};

/**
 * The pieces of a text that is split at the matches of a global pattern; empty pieces are left out. The pattern is matched with `seen`,
 * which has the length of the text. [tokenizer.split]
 */
export function splitAt(
  text: string,
  pattern: RegExp,
  behavior: Behavior,
  { invert = false, seen = classifiable(text) }: SplitOptions = {},
): string[] {
  const spans = BEHAVIORS[behavior](spansOf(text, seen, pattern, invert));
  return spans.filter(({ start, end }) => end > start).map(({ start, end }) => text.slice(start, end));
}

export interface SplitOptions {
  readonly invert?: boolean;
  readonly seen?: string;
}
