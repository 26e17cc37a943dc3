// How Kosmos-1 was trained, as data: by the paper, by kyegomez/Kosmos-X, and by bjoernpl/KOSMOS_reimplementation.
import { Kosmos } from "../../models/kosmos/kosmos.ts";
import {
  type Check,
  checked,
  checkValue,
  flag,
  notNegative,
  oneOf,
  optional,
  passing,
  whole,
} from "../../nn/options.ts";
import { RuleError } from "../../tensor/errors.ts";
import { adamw } from "../optimizers/adamw.ts";
import { adamw8bit } from "../optimizers/eight-bit/adamw.ts";
import { lion } from "../optimizers/lion.ts";
import type { Optimizer, ParameterGroup } from "../optimizers/optimizer.ts";
import type { Schedule } from "../schedules.ts";
import { trainable } from "../trainable.ts";
import { transformersSchedule } from "../transformers-schedules.ts";
import { type KosmosTrainingBehaviour, kosmosTraining } from "./behaviour.ts";
import { type KosmosGrouping, kosmosGroups } from "./groups.ts";

/** Optimiser, schedule, clipping and data of a published training. */
export interface KosmosRecipe {
  /** Where it is stated. */
  readonly source: string;
  /** The set of trained parameters, a name of `model.parameterSets`. */
  readonly trained: "paper" | "kosmosx@0.3.1";
  readonly optimizer: {
    readonly kind: "adamw" | "adamw-8bit" | "lion";
    readonly learningRate: number;
    readonly betas: readonly [number, number];
    /** null: the optimiser has none. */
    readonly epsilon: number | null;
    readonly weightDecay: number;
  };
  readonly schedule: {
    readonly name: "linear" | "cosine";
    /** Steps of the warm-up, or their share of all steps. */
    readonly warmup: { readonly steps: number } | { readonly share: number };
    /** null: as many as the data have. */
    readonly steps: number | null;
  };
  readonly clipAt: number | null;
  readonly accumulation: number;
  /** The size of a batch, as the source counts it. */
  readonly batch: { readonly sequences: number } | { readonly tokens: number };
  /** The precision of the source. Here gradients have that of the backend, and weights and the optimiser's state are float64. */
  readonly precision: "float16";
  readonly seed: number | null;
  /** Steps between two checkpoints, and between two lines of the log; null: not stated. */
  readonly saveEvery: number | null;
  readonly logEvery: number | null;
  /** What the source does otherwise than it was meant to, where it is to be reproduced. */
  readonly asPublished: {
    readonly grouping?: KosmosGrouping;
    readonly behaviour?: Partial<KosmosTrainingBehaviour>;
    /** The scheduler is made, and never advanced: the learning rate stays that of step 0. */
    readonly constantRate?: true;
  };
}

/** The published trainings of Kosmos and its reimplementations, each with its source. */
export const kosmosRecipes = {
  // [kosmosrecipe.data]
  paper: {
    source: "arXiv 2302.14045, §3.2; it states no ε: 1e-6 is that of kosmos-2/train.sh in microsoft/unilm",
    trained: "paper",
    optimizer: { kind: "adamw", learningRate: 2e-4, betas: [0.9, 0.98], epsilon: 1e-6, weightDecay: 0.01 },
    schedule: { name: "linear", warmup: { steps: 375 }, steps: 300_000 },
    clipAt: null,
    accumulation: 1,
    batch: { tokens: 1_200_000 },
    precision: "float16",
    seed: null,
    saveEvery: null,
    logEvery: null,
    asPublished: {},
  },
  "kosmosx@0.3.1": {
    source: "train.py of kyegomez/Kosmos-X at f927983",
    trained: "kosmosx@0.3.1",
    optimizer: { kind: "lion", learningRate: 1e-4, betas: [0.9, 0.95], epsilon: null, weightDecay: 0.1 },
    schedule: { name: "cosine", warmup: { share: 0.01 }, steps: null },
    clipAt: 1,
    accumulation: 1,
    batch: { sequences: 1 },
    precision: "float16",
    seed: 42,
    saveEvery: 1000,
    logEvery: 100,
    asPublished: {
      grouping: "linear weights alone",
      behaviour: { mean: "micro-batches", untrained: "kept" },
    },
  },
  "KOSMOS_reimplementation@4300dc6": {
    source: "train_kosmos.py of bjoernpl/KOSMOS_reimplementation at 4300dc6",
    trained: "paper",
    optimizer: {
      kind: "adamw-8bit",
      learningRate: 1e-5,
      betas: [0.9, 0.999],
      epsilon: 1e-8,
      weightDecay: 0.01,
    },
    schedule: { name: "linear", warmup: { steps: 0 }, steps: 100_000 },
    clipAt: null,
    accumulation: 1,
    batch: { sequences: 4 },
    precision: "float16",
    seed: null,
    saveEvery: 100,
    logEvery: 1,
    asPublished: { grouping: "all", constantRate: true },
  },
} as const satisfies Readonly<Record<string, KosmosRecipe>>;

export type KosmosRecipeName = keyof typeof kosmosRecipes;

/** What a recipe gives to `trainKosmos`. */
export interface KosmosRecipeOptions {
  readonly optimizer: Optimizer;
  readonly schedule: Schedule;
  readonly clipAt: number | null;
  readonly accumulation: number;
  readonly behaviour: KosmosTrainingBehaviour;
}

/** What a run changes of a recipe. */
export interface RecipeChoice {
  /** The steps of the run, from which the schedule follows. Default: those of the recipe. */
  readonly steps?: number | undefined;
  /** The highest learning rate, for models of another size. Default: that of the recipe. */
  readonly learningRate?: number | undefined;
  /** Reproduces what the source does otherwise than it was meant to. Default false. */
  readonly asPublished?: boolean | undefined;
}

const aKosmos = passing("a Kosmos", (value) => value instanceof Kosmos);
const checks: { readonly [K in keyof RecipeChoice]-?: Check } = {
  steps: optional(whole(1, 2 ** 31 - 1)),
  learningRate: optional(notNegative),
  asPublished: optional(flag),
};

/** The schedule of a recipe. Throws a RuleError where neither the recipe nor the caller states the number of steps. */
function scheduleOf(name: string, { schedule }: KosmosRecipe, { steps }: RecipeChoice): Schedule {
  const numTrainingSteps = steps ?? schedule.steps;
  if (numTrainingSteps === null)
    throw new RuleError(
      `the recipe ${name} trains as long as its data last; give the number of steps`,
      "kosmosrecipe.schedule",
    );
  const { warmup } = schedule;
  const numWarmupSteps = "steps" in warmup ? warmup.steps : Math.floor(numTrainingSteps * warmup.share); // [kosmosrecipe.schedule]
  return transformersSchedule({ name: schedule.name, numWarmupSteps, numTrainingSteps });
}

/** The table whose module is bitsandbytes' Embedding, which asks for 32-bit state. */
const TOKENS = "embed.weight";

function optimizerOf(
  { kind, learningRate, betas, epsilon, weightDecay }: KosmosRecipe["optimizer"],
  groups: readonly ParameterGroup[],
): Optimizer {
  if (kind === "lion") return lion({ groups, learningRate, betas, weightDecay });
  const options = { groups, learningRate, betas, epsilon: epsilon ?? 0, weightDecay };
  if (kind === "adamw") return adamw(options);
  return adamw8bit({ ...options, in32Bits: [TOKENS] }); // [kosmosrecipe.embedding]
}

/**
 * The options of `trainKosmos` that a recipe states: `trainKosmos({ model, batch, steps, ...recipeOptions(model, "paper", { steps }) })`. Throws
 * a RuleError for a name that is no recipe, and where the number of steps is stated nowhere.
 */
export function recipeOptions(
  model: Kosmos,
  name: KosmosRecipeName,
  choice: RecipeChoice = {},
): KosmosRecipeOptions {
  checkValue("recipeOptions", "model", model, aKosmos);
  checkValue("recipeOptions", "name", name, oneOf(Object.keys(kosmosRecipes)));
  const { steps, learningRate, asPublished = false } = checked("recipeOptions", choice, checks);
  const recipe: KosmosRecipe = kosmosRecipes[name];
  const optimizer = { ...recipe.optimizer, ...(learningRate !== undefined && { learningRate }) };
  const { grouping, behaviour, constantRate } = asPublished ? recipe.asPublished : {}; // [kosmosrecipe.published]
  const names = trainable(model, recipe.trained); // [kosmosrecipe.trained]
  const schedule = scheduleOf(name, recipe, { steps });
  const first = schedule(0);
  return {
    optimizer: optimizerOf(optimizer, kosmosGroups(model, names, optimizer.weightDecay, grouping)),
    schedule: constantRate ? () => first : schedule, // [kosmosrecipe.constant]
    clipAt: recipe.clipAt,
    accumulation: recipe.accumulation,
    behaviour: { ...kosmosTraining, ...behaviour },
  };
}
