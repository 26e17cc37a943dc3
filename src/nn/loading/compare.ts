// The comparison of a model's names and shapes with those of weights.

import { LoadError } from "../../tensor/errors.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { nameDifferences } from "./name-differences.ts";
import type { StateDictReport, Weight, Weights, WrongShape } from "./report.ts";
import { describeReport } from "./report-text.ts";
import { type LoadRules, renamed, selected } from "./rules.ts";

/** Weights do not fit a model, and none was loaded. The error has the report that `describeReport` turns into lines. */
export class StateDictError extends LoadError {
  readonly report: StateDictReport;
  constructor(report: StateDictReport) {
    super(describeReport(report).join("\n"));
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

/** Groups the names of the weights by the names that they have in the model. */
function byNewName(to: ReadonlyMap<string, string>): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const [from, name] of to) {
    const known = groups.get(name);
    if (known === undefined) groups.set(name, [from]);
    else known.push(from);
  }
  return groups;
}

/** Compares a model's state dict with weights. `tied` has the second names of tied parameters and their first ones. */
export function compare(
  model: object,
  state: ReadonlyMap<string, Tensor>,
  tied: ReadonlyMap<string, string>,
  weights: Weights,
  { ignore = [], rename = {}, optional = [] }: LoadRules,
): { readonly report: StateDictReport; readonly found: ReadonlyMap<string, Weight> } {
  const keys = weights instanceof Map ? [...weights.keys()] : (weights.keys as readonly string[]);
  const { uses: ignored, rest } = selected(ignore, keys); // [state.ignore]
  const { uses: changed, to } = renamed(rename, rest);
  const sources = byNewName(to);
  const found = new Map<string, Weight>();
  for (const [name, [from = name]] of sources) found.set(name, weights.get(from) as Weight);

  const given = (name: string) => found.has(name);
  const throughTie = new Set<string>();
  for (const [second, first] of tied) {
    if (given(first)) throughTie.add(second); // [state.tied]
    if (given(second)) throughTie.add(first);
  }
  const lacking = [...state.keys()].filter((name) => !given(name) && !throughTie.has(name));
  const { uses: absent, rest: missing } = selected(optional, lacking); // [state.optional]
  const unexpected = [...found.keys()].filter((name) => !state.has(name));
  const differences = nameDifferences(unexpected, missing); // [state.prefix]
  const explained = new Map(differences.flatMap(({ names }) => [...names]));
  const reached = new Set(explained.values());
  const report: StateDictReport = {
    model: model.constructor.name,
    loaded: [...found.keys()].filter((name) => state.has(name)),
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
