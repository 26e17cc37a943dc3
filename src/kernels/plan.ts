// What a replay derives from the structure of a program: which nodes are needed, when values are freed, which scopes are fused. A
// decoder records a program of the same structure for every token, so the last plans of a backend are kept.
import type { OpName } from "../tensor/ops/table.ts";
import { roundedNodes } from "../tensor/program/evaluate.ts";
import { isDead, lastUses, type Program, prune, type Scope } from "../tensor/program/program.ts";
import type { Backend } from "./backend.ts";
import { dispatch, type ScopeFallback } from "./dispatch.ts";

/** A plan holds ids only, no shapes, attributes or tensors: programs of one structure may differ in these. */
export interface Plan {
  /** 1 for the nodes that outputs and taps depend on. */
  readonly live: Uint8Array;
  /** For each node, the last node that reads it; the number of nodes for outputs and taps, −1 if there is none. */
  readonly lastUse: Int32Array;
  /** 1 for the nodes whose result is rounded to the precision of the backend. */
  readonly rounded: Uint8Array;
  /** Indices of the fused scopes, by the id of their first node. */
  readonly fused: ReadonlyMap<number, number>;
  /** Scopes that have a fused kernel but are not fused, and why. */
  readonly unfused: readonly ScopeFallback[];
  /** Where live nodes read each leaf: the id of the node and the index of the operand. */
  readonly uses: ReadonlyMap<number, readonly (readonly [node: number, operand: number])[]>;
  /** Leaves that scopes, outputs or taps name. */
  readonly named: ReadonlySet<number>;
}

/** Everything that a plan is derived from: the ops and operands of all nodes, the scopes, and the ids of outputs and taps. */
interface Structure {
  readonly ops: readonly (OpName | "leaf" | "dead")[];
  /** For each node, the number of its operands and their ids. */
  readonly operands: Int32Array;
  readonly scopes: readonly Omit<Scope, "attrs">[];
  readonly results: readonly number[];
}

/** Plans that are kept for each backend. */
const MOST_PLANS = 16;

const plans = new WeakMap<Backend, { readonly structure: Structure; readonly plan: Plan }[]>();

/** The plan of a program on a backend: a kept one if a program of exactly this structure was replayed lately. */
export function planOf(program: Program, backend: Backend): Plan {
  const kept = plans.get(backend) ?? [];
  plans.set(backend, kept);
  const at = kept.findIndex(({ structure }) => hasStructure(program, structure));
  const [entry] =
    at < 0 ? [{ structure: structureOf(program), plan: derivedPlan(program, backend) }] : kept.splice(at, 1);
  if (!entry) return derivedPlan(program, backend);
  kept.unshift(entry);
  kept.length = Math.min(kept.length, MOST_PLANS);
  return entry.plan;
}

const resultsOf = ({ outputs, taps }: Program): number[] => [
  ...Object.values(outputs),
  ...Object.values(taps),
];

const opOf = (node: Program["nodes"][number]): Structure["ops"][number] => (isDead(node) ? "dead" : node.op);

function structureOf(program: Program): Structure {
  const { nodes, scopes } = program;
  return {
    ops: nodes.map(opOf),
    operands: Int32Array.from(nodes.flatMap(({ inputs }) => [inputs.length, ...inputs])),
    scopes: scopes.map(({ attrs: _, inputs, outputs, ...scope }) => ({
      ...scope,
      inputs: { ...inputs },
      outputs: { ...outputs },
    })),
    results: resultsOf(program),
  };
}

function hasStructure(program: Program, { ops, operands, scopes, results }: Structure): boolean {
  const { nodes } = program;
  if (nodes.length !== ops.length || program.scopes.length !== scopes.length) return false;
  let at = 0;
  for (const [id, node] of nodes.entries()) {
    if (opOf(node) !== ops[id] || operands[at++] !== node.inputs.length) return false;
    for (const input of node.inputs) if (operands[at++] !== input) return false;
  }
  return (
    sameIds(resultsOf(program), results) && scopes.every((scope, i) => sameScope(scope, program.scopes[i]))
  );
}

const sameIds = (a: readonly unknown[], b: readonly unknown[]): boolean =>
  a.length === b.length && a.every((id, i) => id === b[i]);

const sameNames = (a: Scope["inputs"], b: Scope["inputs"]): boolean =>
  sameIds(Object.entries(a).flat(), Object.entries(b).flat());

function sameScope(a: Omit<Scope, "attrs">, b: Scope | undefined): boolean {
  if (a.name !== b?.name || a.parent !== b.parent) return false;
  if (a.first !== b.first || a.end !== b.end) return false;
  return sameNames(a.inputs, b.inputs) && sameNames(a.outputs, b.outputs);
}

export function derivedPlan(program: Program, backend: Backend): Plan {
  const pruned = prune(program);
  const { nodes, scopes } = pruned;
  const isRounded = roundedNodes(pruned);
  const { fused, unfused } = dispatch(pruned, backend.scopes);
  const uses = new Map<number, (readonly [number, number])[]>();
  for (const [id, node] of nodes.entries())
    for (const [operand, input] of node.inputs.entries()) {
      if (nodes[input]?.op !== "leaf") continue;
      const list = uses.get(input) ?? [];
      list.push([id, operand]);
      uses.set(input, list);
    }
  return {
    live: Uint8Array.from(nodes, (node) => (isDead(node) ? 0 : 1)),
    lastUse: lastUses(pruned),
    rounded: Uint8Array.from(nodes, (node, id) => (isRounded(id, node) ? 1 : 0)),
    fused: new Map([...fused].map(([first, scope]) => [first, scopes.indexOf(scope)])),
    unfused,
    uses,
    named: new Set([...scopes.flatMap(({ inputs }) => Object.values(inputs)), ...resultsOf(program)]),
  };
}
