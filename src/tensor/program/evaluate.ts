// Evaluates a program with the definitions of its ops. Backends are compared with the result.
import { Bug, ShapeError } from "../errors.ts";
import { checkMember } from "../given.ts";
import { EXACT, ruleOf } from "../ops/rules.ts";
import { type Precision, roundInto } from "../precision.ts";
import { flat, Tensor, type View, view } from "../tensor.ts";
import { isDead, lastUses, type Node, type Program } from "./program.ts";

export type Bindings = Readonly<Record<string, Tensor>>;

/** A copy with every value rounded; the view itself if it needs no rounding. */
export function rounded(v: View, precision: Precision): View {
  if (precision === "float64" || (precision === "float32" && v.data instanceof Float32Array)) return v;
  const values = Float64Array.from(flat(v));
  roundInto(values, precision);
  return view(values, v.shape);
}

/** The values of a leaf: those bound to it in `bind`, else those that were recorded. */
export function leafValues(program: Program, bind: Bindings, precision: Precision): (id: number) => View {
  const bound = new Map<number, Tensor>();
  for (const [name, t] of Object.entries(bind)) {
    const id = program.leaves[name];
    if (id === undefined)
      throw new ShapeError(
        `cannot bind "${name}": the program has no such leaf; it has ${Object.keys(program.leaves).join(", ")}`,
      );
    const shape = program.nodes[id]?.shape ?? [];
    if (shape.join(" ") !== t.shape.join(" ")) {
      throw new ShapeError(`leaf "${name}" was recorded as [${shape.join(" ")}], got [${t.shape.join(" ")}]`);
    }
    bound.set(id, t); // [replay.bind]
  }
  return (id) => {
    const t = bound.get(id) ?? program.bindings.get(id);
    if (!t) throw new Bug(`leaf ${id} has no value`);
    return rounded(t.data, precision);
  };
}

/**
 * Selects the nodes whose result is rounded: all that compute values, except for inner nodes of `normalize`, which a fused kernel
 * rounds at its output only.
 */
export function roundedNodes(program: Program): (id: number, node: Node) => boolean {
  const inside = new Set<number>();
  for (const { name, first, end, outputs } of program.scopes) {
    if (name !== "normalize") continue;
    for (let id = first; id < end; id++) if (!Object.values(outputs).includes(id)) inside.add(id); // [precision.scope]
  }
  return (id, node) => node.op !== "leaf" && !EXACT.has(node.op) && !inside.has(id);
}

/**
 * Computes one node by its definition and rounds the result. Throws a RuleError for ids that are none: a program is data, which may
 * have been changed since it was recorded.
 */
export function computeNode(node: Node, inputs: readonly View[], precision: Precision): View {
  if (node.op === "leaf") throw new Bug("a leaf is not computed");
  const rule = ruleOf(node.op);
  if ("ids" in node.attrs) rule.shape(node.attrs, ...inputs.map(({ shape }) => shape)); // [ops.gather] [ops.pick]
  const out = rule.compute(node.attrs, ...inputs);
  if (out.data instanceof Float64Array) roundInto(out.data, precision); // [precision.each]
  return out;
}

export interface Results {
  readonly outputs: Readonly<Record<string, Tensor>>;
  readonly taps: Readonly<Record<string, Tensor>>;
}

/** Outputs and taps from the values of all nodes. */
export function resultsOf(program: Program, value: (id: number) => View): Results {
  const pick = (ids: Readonly<Record<string, number>>) =>
    Object.fromEntries(
      Object.entries(ids).map(([name, id]) => [name, new Tensor(program.nodes[id]?.shape ?? [], value(id))]),
    );
  return { outputs: pick(program.outputs), taps: pick(program.taps) };
}

/**
 * Computes every node in order, by the definition of its op, in float64; in a lower precision the result of every op is rounded
 * to it. `bind` gives values for named leaves. Throws a ShapeError for a name that is no leaf, and for values of another shape.
 */
export function evaluate(program: Program, bind: Bindings = {}, precision: Precision = "float64"): Results {
  checkMember("evaluate", { program }, "nodes", "a program, as record returns it");
  const leaf = leafValues(program, bind, precision);
  const rounds = roundedNodes(program);
  const last = lastUses(program);
  const values: (View | undefined)[] = [];
  const value = (id: number): View => {
    const v = values[id];
    if (!v) throw new Bug(`node ${id} was freed before its last use`);
    return v;
  };
  for (const [id, node] of program.nodes.entries()) {
    if (node.op === "leaf") values[id] = isDead(node) ? undefined : leaf(id);
    else values[id] = computeNode(node, node.inputs.map(value), rounds(id, node) ? precision : "float64");
    for (const input of node.inputs) if (last[input] === id) values[input] = undefined;
  }
  return resultsOf(program, value);
}
