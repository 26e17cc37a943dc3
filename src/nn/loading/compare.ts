// The comparison of a model's names and shapes with those of weights.

import { LoadError } from "../../tensor/errors.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { nameDifferences } from "./name-differences.ts";
import { type NewNames, newNames } from "./new-names.ts";
import type { StateDictReport, Weight, Weights, WrongShape } from "./report.ts";
import { describeStateDictReport } from "./report-text.ts";
import { type LoadRules, selected } from "./rules.ts";
import { StrippedNames } from "./strip.ts";

/** Weights do not fit a model, and none was loaded. The error has the report that `describeStateDictReport` turns into lines. */
export class StateDictError extends LoadError {
  readonly report: StateDictReport;
  constructor(report: StateDictReport) {
    super(describeStateDictReport(report).join("\n"));
    this.report = report;
  }
}

export const isFitting = ({ problems }: StateDictReport): boolean =>
  Object.values(problems).every((list) => list.length === 0);

function shapesThatDiffer(
  state: ReadonlyMap<string, Tensor>,
  weights: ReadonlyMap<string, Weight>,
): WrongShape[] {
  const found: WrongShape[] = [];
  for (const [name, weight] of weights) {
    const model = state.get(name)?.shape;
    if (model && weight instanceof Tensor && model.join(" ") !== weight.shape.join(" "))
      found.push({ name, model, weights: weight.shape });
  }
  return found;
}

/** The names of a model that no weight gives: neither under its own name nor under that of a tied parameter. */
function lackingNames(
  state: ReadonlyMap<string, Tensor>,
  tied: ReadonlyMap<string, string>,
  given: (name: string) => boolean,
): string[] {
  const throughTie = new Set<string>();
  for (const [second, first] of tied) {
    if (given(first)) throughTie.add(second); // [state.tied]
    if (given(second)) throughTie.add(first);
  }
  return [...state.keys()].filter((name) => !given(name) && !throughTie.has(name));
}

/** The number of prefixes that are removed, one after another; each takes time proportional to the length of all names. */
const MOST_PREFIXES = 3;

/** Removes prefixes behind which names are found that the model lacks. */
function withoutPrefixes(
  stripped: StrippedNames,
  state: ReadonlyMap<string, Tensor>,
  tied: ReadonlyMap<string, string>,
  rules: LoadRules,
): NewNames {
  let names = newNames(stripped, rules);
  for (let removed = 0; rules.strip && removed < MOST_PREFIXES; removed++) {
    const { sources } = names;
    const unexpected = [...sources.keys()].filter((name) => !state.has(name));
    const lacking = lackingNames(state, tied, (name) => sources.has(name));
    const [first] = nameDifferences(unexpected, lacking);
    const [prefix] = first?.kind === "prefix of the weights" ? first.added : [];
    if (prefix === undefined) break;
    const fitting = [...sources].flatMap(([name, from]) => (state.has(name) ? from : []));
    stripped.removePrefix(prefix, new Set(fitting));
    names = newNames(stripped, rules);
  }
  return names;
}

/** Compares a model's state dict with weights. `tied` has the second names of tied parameters and their first ones. */
export function compare(
  model: object,
  state: ReadonlyMap<string, Tensor>,
  tied: ReadonlyMap<string, string>,
  weights: Weights,
  rules: LoadRules,
): { readonly report: StateDictReport; readonly found: ReadonlyMap<string, Weight> } {
  const keys = weights instanceof Map ? [...weights.keys()] : (weights.keys as readonly string[]);
  const stripped = new StrippedNames(keys, rules.strip ?? false);
  const { ignored, renamed: changed, sources } = withoutPrefixes(stripped, state, tied, rules);
  const found = new Map<string, Weight>();
  for (const [name, [from = name]] of sources) found.set(name, weights.get(from) as Weight);

  const lacking = lackingNames(state, tied, (name) => found.has(name));
  const { uses: absent, rest: missing } = selected(rules.optional ?? [], lacking); // [state.optional]
  const unexpected = [...found.keys()].filter((name) => !state.has(name));
  const differences = nameDifferences(unexpected, missing); // [state.prefix]
  const explained = new Map(differences.flatMap(({ names }) => [...names]));
  const reached = new Set(explained.values());
  const report: StateDictReport = {
    model: model.constructor.name,
    loaded: [...found.keys()].filter((name) => state.has(name)),
    stripped: stripped.uses,
    ignored,
    renamed: changed,
    optional: absent,
    problems: {
      differences,
      missing: missing.filter((name) => !reached.has(name)),
      unexpected: unexpected.filter((name) => !explained.has(name)),
      notFloats: [...found].flatMap(([name, weight]) => (weight instanceof Tensor ? [] : [name])),
      wrongShapes: shapesThatDiffer(state, found),
      collisions: [...sources].flatMap(([name, from]) => (from.length > 1 ? [{ name, from }] : [])), // [state.rename]
    },
    names: { model: [...state.keys()], weights: keys, renamed: [...found.keys()] },
  };
  return { report, found };
}
