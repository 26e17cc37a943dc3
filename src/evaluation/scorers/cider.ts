// CIDEr-D of captions: Vedantam et al., arXiv 1411.5726, §4 and §5; pycocoevalcap 1.2, cider/cider_scorer.py.
import { RuleError } from "../../tensor/errors.ts";
import { checkGiven } from "../../tensor/given.ts";
import { wordsOf } from "./words.ts";

/** n-grams of 1 to 4 words. */
const LONGEST = 4;
/** σ of the penalty for another length. */
const SIGMA = 6;

/** How often each n-gram occurs, [n − 1]: words joined by spaces. */
type Counts = readonly Map<string, number>[];

function countsOf(caption: string): Counts {
  const words = wordsOf(caption);
  return Array.from({ length: LONGEST }, (_, i) => {
    const counts = new Map<string, number>();
    for (let at = 0; at + i < words.length; at++) {
      const gram = words.slice(at, at + i + 1).join(" ");
      counts.set(gram, (counts.get(gram) ?? 0) + 1);
    }
    return counts;
  });
}

/** A caption as a vector: tf·idf by n-gram, its norms, and its length, for which the code takes the number of pairs of words. */
interface Vector {
  readonly weights: readonly ReadonlyMap<string, number>[];
  readonly norms: readonly number[];
  readonly length: number;
}

/** g(c): the count of each n-gram times ln(images / images whose references have it). */
function vectorOf(counts: Counts, frequencies: ReadonlyMap<string, number>, images: number): Vector {
  const weights = counts.map((grams) => {
    const weighted = [...grams].map(([gram, count]): [string, number] => {
      const idf = Math.log(images) - Math.log(Math.max(1, frequencies.get(gram) ?? 0)); // [score.cider-idf]
      return [gram, count * idf];
    });
    return new Map(weighted);
  });
  const norms = weights.map((grams) =>
    Math.sqrt([...grams.values()].reduce((total, weight) => total + weight * weight, 0)),
  );
  const length = [...(counts[1]?.values() ?? [])].reduce((total, count) => total + count, 0);
  return { weights, norms, length };
}

/** The mean over n of the cosine of two captions, in which no n-gram counts more often than in the reference. */
function similarity(candidate: Vector, reference: Vector): number {
  const difference = candidate.length - reference.length;
  const penalty = Math.exp(-(difference * difference) / (2 * SIGMA * SIGMA)); // [score.cider-length]
  let total = 0;
  for (let n = 0; n < LONGEST; n++) {
    const known = reference.weights[n];
    let value = 0;
    for (const [gram, weight] of candidate.weights[n] ?? []) {
      const other = known?.get(gram) ?? 0;
      value += Math.min(weight, other) * other; // [score.cider-clip]
    }
    const norms = (candidate.norms[n] ?? 0) * (reference.norms[n] ?? 0);
    total += (norms === 0 ? value : value / norms) * penalty;
  }
  return total / LONGEST;
}

/** One image: a candidate caption and its references, each a text of words between spaces. */
export interface Captioned {
  readonly candidate: string;
  readonly references: readonly string[];
}

export interface Cider {
  /** The mean over all images. */
  readonly score: number;
  readonly scores: readonly number[];
}

/**
 * CIDEr-D of captions that `captionTokens` has tokenized, ten times the mean similarity to the references. Document frequencies are those of the
 * references of the given images, so that a score holds for this set only, and one image alone scores 0. Throws a RuleError if there is no image,
 * or one of them has no reference.
 */
export function cider(images: readonly Captioned[]): Cider {
  checkGiven("cider", { images }, "a list");
  if (images.length === 0) throw new RuleError("cider needs at least one image", "score.cider");
  const bare = images.findIndex(({ references }) => references.length === 0);
  if (bare >= 0)
    throw new RuleError(`cider: image ${bare} has no reference; leave it out or add one`, "score.cider");
  const references = images.map((image) => image.references.map(countsOf));
  const frequencies = new Map<string, number>();
  for (const ofImage of references) {
    const grams = new Set(ofImage.flatMap((counts) => counts.flatMap((one) => [...one.keys()])));
    for (const gram of grams) frequencies.set(gram, (frequencies.get(gram) ?? 0) + 1); // [score.cider-documents]
  }
  const scores = images.map(({ candidate }, i) => {
    const vector = vectorOf(countsOf(candidate), frequencies, images.length);
    const similarities = (references[i] ?? []).map((counts) =>
      similarity(vector, vectorOf(counts, frequencies, images.length)),
    );
    return (10 * similarities.reduce((total, one) => total + one, 0)) / similarities.length; // [score.cider]
  });
  return { score: scores.reduce((total, one) => total + one, 0) / scores.length, scores };
}
