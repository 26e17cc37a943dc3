// Broken builds of Kosmos and of its optimiser StableAdamW.
import type { BrokenBuild } from "./change.ts";

const FOLDER = "src/models/kosmos";
const STABLE = "src/training/optimizers/stable-adamw.ts";
const kosmos = (...ids: readonly string[]): string[] => ids.map((id) => `kosmos--${id}`);
const stable = (...ids: readonly string[]): string[] => ids.map((id) => `stable-adamw--${id}`);

export const kosmosBuilds: readonly BrokenBuild[] = [
  {
    mistake: "Kosmos adds positions twice by default",
    path: `${FOLDER}/kosmos.ts`,
    before: 'mode = "seed"',
    after: 'mode = "published"',
    noticedBy: kosmos("defaults"),
  },
  {
    mistake: "vectors of images are not scaled with the embeddings",
    path: `${FOLDER}/kosmos.ts`,
    before: "spliced(embedded, scaled(vectors.all), from)",
    after: "spliced(embedded, vectors.all, from)",
    noticedBy: kosmos("scaled", "several-images-multiway"),
  },
  {
    mistake: "the published computation scales text once",
    path: `${FOLDER}/kosmos.ts`,
    before: "decoder.placed(scaled(x), at.positions)",
    after: "decoder.placed(x, at.positions)",
    noticedBy: kosmos("scaled-published", "scaled-normalized-published", "gradients-scaled"),
  },
  {
    mistake: "the first positions of the published computation count vectors",
    path: `${FOLDER}/splice.ts`,
    before: "(vectors[i] ?? 0) < 0) tokens++",
    after: "(vectors[i] ?? 0) < i) tokens++",
    noticedBy: kosmos("published", "five-rows", "gradients-published"),
  },
  {
    mistake: "the vectors of an image stand in reverse",
    path: `${FOLDER}/splice.ts`,
    before: "slots + (run - 2)",
    after: "slots + (slots + 1 - run)",
    noticedBy: kosmos("seed", "published", "several-images", "wide"),
  },
  {
    mistake: "every row reads the images of the first",
    path: `${FOLDER}/splice.ts`,
    before: "first.push(before);",
    after: "first.push(0);",
    noticedBy: kosmos("seed", "five-rows", "several-images", "gradients-several-images"),
  },
  {
    mistake: "StableAdamW does not reduce the learning rate",
    path: STABLE,
    before: "Math.max(1, rootMeanSquare(g, v, epsilon) / clipThreshold)",
    after: "1",
    noticedBy: stable("clipped"),
  },
  {
    mistake: "StableAdamW decays by the reduced learning rate",
    path: STABLE,
    before: "const keep = 1 - lr * rate.weightDecay",
    after: "const keep = 1 - stride * rate.weightDecay",
    noticedBy: stable("clipped"),
  },
  {
    mistake: "the means of StableAdamW are corrected for the step before",
    path: STABLE,
    before: "(1 - beta ** (t - 1))",
    after: "(1 - beta ** t)",
    noticedBy: stable("three-steps", "no-decay", "clipped"),
  },
];
