// How the weights of a file and the parameters of a model correspond, as data.

import type { Bool, Int, Shape, Tensor } from "../../tensor/tensor.ts";
import type { NameDifference } from "./name-differences.ts";
import type { RuleUse } from "./rules.ts";

/** What a file holds under a name. */
export type Weight = Tensor | Int | Bool;

/** Weights by name: a Map, or a file whose tensors are read when they are asked for. */
export type Weights =
  | ReadonlyMap<string, Weight>
  | { readonly keys: readonly string[]; get(name: string): Weight };

export interface WrongShape {
  readonly name: string;
  readonly model: Shape;
  readonly weights: Shape;
}

/** The result of `loadStateDict`: all names, each in one of the lists. The model's names are used, except for what is ignored or renamed. */
export interface StateDictReport {
  /** The class of the model. */
  readonly model: string;
  readonly loaded: readonly string[];
  /** Names of the weights that a rule leaves out, by rule; a rule that fits no name has an empty list. */
  readonly ignored: readonly RuleUse[];
  /** Names of the weights that a rule changed, by rule. */
  readonly renamed: readonly RuleUse[];
  /** Names of the weights from which `strip` removed a part, by part: "module." */
  readonly stripped: readonly RuleUse[];
  /** Names of the model that the weights lack and that a rule makes optional, by rule. */
  readonly optional: readonly RuleUse[];
  readonly problems: StateDictProblems;
  /** All names: of the model, of the weights, and those of the weights that are not ignored, renamed. */
  readonly names: Readonly<Record<"model" | "weights" | "renamed", readonly string[]>>;
}

/** All lists are empty if the weights are loaded. */
export interface StateDictProblems {
  readonly differences: readonly NameDifference[];
  /** Names that the differences do not explain. */
  readonly missing: readonly string[];
  readonly unexpected: readonly string[];
  readonly notFloats: readonly string[];
  readonly wrongShapes: readonly WrongShape[];
  /** Names of the weights that rules give the same name. */
  readonly collisions: readonly { readonly name: string; readonly from: readonly string[] }[];
}
