// The executable half of 79-scores.md. golden/data/scores.json has what the official Python programs make of generated answers.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { captionTokens } from "../../../src/evaluation/scorers/captions/caption-tokens.ts";
import { type Captioned, cider } from "../../../src/evaluation/scorers/cider.ts";
import { accuracy, rocAuc } from "../../../src/evaluation/scorers/classification.ts";
import { bestOf, exactMatch, f1 } from "../../../src/evaluation/scorers/spans.ts";
import { normalizedAnswer, vqaAccuracy } from "../../../src/evaluation/scorers/vqa-accuracy.ts";
import { refusal } from "../../support/properties/refusals.ts";

interface Released {
  readonly vqa: readonly {
    readonly answer: string;
    readonly annotators: readonly string[];
    readonly normalized: string;
    readonly percent: number;
  }[];
  readonly spans: readonly {
    readonly answer: string;
    readonly right: readonly string[];
    readonly exact: number;
    readonly f1: number;
  }[];
  readonly classes: readonly {
    readonly scores: readonly number[];
    readonly labels: readonly boolean[];
    readonly auc: number;
    readonly accuracy: number;
  }[];
  readonly captions: readonly { readonly caption: string; readonly tokens: string }[];
  readonly cider: readonly {
    readonly images: readonly Captioned[];
    readonly score: number;
    readonly scores: readonly number[];
  }[];
}
const released: Released = JSON.parse(readFileSync("golden/data/scores.json", "utf8"));

/** The entries whose value differs from the released one by more than 1e-12. */
const differing = <T>(entries: readonly T[], own: (entry: T) => number, theirs: (entry: T) => number): T[] =>
  entries.filter((entry) => !(Math.abs(own(entry) - theirs(entry)) <= 1e-12));

describe("VQA accuracy", () => {
  test("[score.vqa-punctuation] [score.vqa-periods] [score.vqa-numbers] [score.vqa-articles] [score.vqa-contractions] answers are normalized as by the official code", () => {
    expect(released.vqa.length).toBe(1500);
    const differences = released.vqa.filter(
      ({ answer, normalized }) => normalizedAnswer(answer) !== normalized,
    );
    expect(differences).toEqual([]);
  });

  test("[score.vqa-accuracy] [score.vqa-agreement] accuracies are those of the official code", () => {
    const own = ({ answer, annotators }: Released["vqa"][number]): number =>
      100 * vqaAccuracy(answer, annotators, { normalize: "where-annotators-differ" });
    expect(differing(released.vqa, own, ({ percent }) => percent)).toEqual([]);
    const partly = released.vqa.filter(({ percent }) => percent > 0 && percent < 100);
    expect(partly.length).toBeGreaterThan(100); // not all pairs are plainly right or wrong
  });

  test("[score.vqa-agreement] by default answers are normalized where all annotators agree, too", () => {
    const annotators = Array.from({ length: 10 }, () => "the T-shirt");
    expect(vqaAccuracy("T-shirt", annotators)).toBe(1);
    expect(vqaAccuracy("T-shirt", annotators, { normalize: "where-annotators-differ" })).toBe(0);
    expect(vqaAccuracy("the T-shirt\n", annotators, { normalize: "where-annotators-differ" })).toBe(1);
  });

  test("[score.vqa-accuracy] three of ten annotators, by hand", () => {
    const annotators = ["red", "red", "red", ..."blue green grey pink black white beige".split(" ")];
    // Of those who said "red", 2 others agree: 2/3. Of the seven others, 3: 1.
    expect(vqaAccuracy("Red.", annotators)).toBeCloseTo((3 * (2 / 3) + 7) / 10, 15);
    expect(refusal(() => vqaAccuracy("red", [])).message).toContain("at least one annotator");
  });

  test("[score.vqa-periods] the official code removes at most 32 periods of an answer", () => {
    expect(normalizedAnswer(`x${".".repeat(40)}`)).toBe(`x${".".repeat(8)}`);
  });
});

describe("answers in a text", () => {
  test("[score.span-words] [score.exact-match] [score.f1] [score.f1-empty] [score.best-answer] exact match and F1 are those of SQuAD", () => {
    expect(released.spans.length).toBe(1500);
    expect(
      differing(
        released.spans,
        ({ answer, right }) => bestOf(exactMatch, answer, right),
        ({ exact }) => exact,
      ),
    ).toEqual([]);
    expect(
      differing(
        released.spans,
        ({ answer, right }) => bestOf(f1, answer, right),
        (entry) => entry.f1,
      ),
    ).toEqual([]);
    expect(new Set(released.spans.map((entry) => entry.f1)).size).toBeGreaterThan(20);
  });

  test("[score.span-words] an article between signs leaves a space, as in squad_metrics of transformers 4.57.6", () => {
    expect([exactMatch("cat— —dog", "cat—the—dog"), f1("cat— —dog", "cat—the—dog")]).toEqual([1, 1]);
    expect([exactMatch("cat——dog", "cat—the—dog"), f1("cat——dog", "cat—the—dog")]).toEqual([0, 0]);
    expect(f1("“” end", "“the” end")).toBeCloseTo(0.4, 12);
  });
});

describe("classification", () => {
  test("[score.accuracy] [score.roc-auc] accuracy and the area under the curve are those of scikit-learn", () => {
    expect(released.classes.length).toBe(1000);
    const auc = ({ scores, labels }: Released["classes"][number]): number => rocAuc(scores, labels);
    expect(differing(released.classes, auc, (entry) => entry.auc)).toEqual([]);
    const share = ({ scores, labels }: Released["classes"][number]): number =>
      accuracy(
        scores.map((score) => score > 0.5),
        labels,
      );
    expect(differing(released.classes, share, (entry) => entry.accuracy)).toEqual([]);
  });

  test("[score.pairs] [score.roc-auc] lists of other lengths, one kind of label and scores that are no numbers are refused", () => {
    expect(refusal(() => accuracy([1, 2], [1])).message).toContain("2 predictions, and labels: 1");
    expect(refusal(() => rocAuc([], [])).message).toContain("at least one pair");
    expect(refusal(() => rocAuc([1, 2], [true, true])).message).toContain("all labels are alike");
    expect(refusal(() => rocAuc([1, Number.NaN], [true, false])).message).toContain("score 1 is NaN");
  });
});

describe("captions", () => {
  test("[score.caption-words] [score.caption-contractions] [score.caption-kinds] [score.caption-signs] [score.caption-punctuation] words are those of the tokenizer of COCO's evaluation", () => {
    expect(released.captions.length).toBeGreaterThan(5300);
    const plain = (text: string): string => text.replace(/\s+/g, " ").trim(); // Stanford's token of 1 1/2 has a no-break space, at which CIDEr splits
    const differences = released.captions.filter(
      ({ caption, tokens }) => captionTokens(caption) !== plain(tokens),
    );
    expect(differences).toEqual([]);
  });

  test.each(released.cider.map((set) => ({ set, n: set.images.length })))(
    "[score.cider] [score.cider-idf] [score.cider-clip] [score.cider-length] [score.cider-documents] CIDEr-D of $n images is that of pycocoevalcap",
    ({ set }) => {
      const { score, scores } = cider(set.images);
      expect(Math.abs(score - set.score)).toBeLessThanOrEqual(1e-12);
      expect(scores.filter((one, i) => !(Math.abs(one - (set.scores[i] ?? Number.NaN)) <= 1e-12))).toEqual(
        [],
      );
    },
  );

  test("[score.cider] an image without references, and no image, are refused", () => {
    expect(refusal(() => cider([])).message).toContain("at least one image");
    const bare = { candidate: "a cat", references: [] };
    expect(refusal(() => cider([{ candidate: "a", references: ["a"] }, bare])).message).toContain("image 1");
  });
});

test("[score.best-answer] the number of right answers has no bound", () => {
  const right = Array.from({ length: 300_000 }, (_, i) => `number${i}`);
  expect([bestOf(f1, "number299999", right), bestOf(exactMatch, "none", right)]).toEqual([1, 0]);
});

// What PTBTokenizer of pycocoevalcap 1.2 makes of these.
test.each([
  [
    "It’s the dog’s; don’t, they’re we’ve he’ll I’m she’d, can’t",
    "it 's the dog 's do n't they 're we 've he 'll i 'm she 'd ca n't",
  ],
  ["café’s 90’s", "café 's 90 's"],
  ["dogs’ ‘red’ “bowl” «bleu» ‘em 6’ tall", "dogs red bowl bleu em 6 tall"],
  ["o’clock O’Brien l’eau rock ’n’ roll", "o’clock o’brien l’eau rock ’n’ roll"],
  ["a–b a — b black—white well… a…b", "a b a b black white well a b"],
  ["£5 € 5 1½ cups ¼", "# 5 $ 5 1 1/2 cups 1/4"],
  ["\u{1f600} park\u{1f436} 2×4 • a", "park 2 × 4 • a"],
])("[score.caption-signs] %j", (caption, tokens) => expect(captionTokens(caption)).toBe(tokens));

// Of the same program.
test.each([
  ["y'all c'mon ma'am 'cause 'tis ol' '90s", "y' all c'mon ma'am 'cause 't is ol' '90s"],
  ["http://a.com/b?c=d. foo@bar.com, flickr.com/photos", "http://a.com/b?c=d foo@bar.com, flickr.com/photos"],
  ["<person> </a> :-) >_< #tag @user c++", "<person> </a> :--rrb- >_< #tag @user c++"],
  ["50c 2pm 6ft 4x4 21st-century -5 _x_", "50c 2pm 6ft 4x4 21st-century -5 _ x _"],
  ["the U.S.-based Mr. Smith, etc. b. The end", "the u.s.-based mr. smith etc. b the end"],
  ["(555) 555-1234 1 1/2 5.5-inch and/or AT&T", "-lrb-555-rrb- 555-1234 1 1/2 5.5-inch and/or at&t"],
  ["donn't inn't don't", "donn t inn t do n't"],
  ["a \u00ad b c\u00add e &nbsp; f&nbsp;g h\u0080i", "a b cd e f g h $ i"],
  ["a -- b --- c ---- d ----- e", "a b c d ----- e"],
])("[score.caption-kinds] %j", (caption, tokens) => expect(captionTokens(caption)).toBe(tokens));

describe("long lines", () => {
  const user = (run: () => void): number => {
    const before = process.cpuUsage().user;
    run();
    return process.cpuUsage().user - before;
  };

  // Each of these is read to its end at each of its places, unless what has been read in vain is remembered.
  test.each(["a,", "a~", "www.~", "<!a", "x@.", "a.b,c", 'a<b c="'])(
    "[score.caption-words] the time for a line of %j grows with its length, not with its square",
    (unit) => {
      const short = unit.repeat(3000);
      const long = short.repeat(16);
      captionTokens(short); // compiled
      expect(user(() => captionTokens(long))).toBeLessThan(60 * user(() => captionTokens(short)) + 50_000);
    },
  );

  test.each([..."a1é,"])("[score.caption-words] a megabyte of %j is read", (character) => {
    let tokens = "";
    const time = user(() => {
      tokens = captionTokens(character.repeat(1_000_000));
    });
    expect(tokens.length).toBe(character === "," ? 0 : 1_000_000);
    expect(time).toBeLessThan(20_000_000);
  });
});
