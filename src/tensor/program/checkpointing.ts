// Gradient checkpointing: Chen et al., arXiv 1604.06174, §3, as a rewrite of the program.
//
// Derivatives read intermediates of the forward pass, which therefore stay in memory until then. Here only some of them are
// kept; the others are computed a second time from those, just before a derivative reads them.
import { ShapeError } from "../errors.ts";
import { checkMember } from "../given.ts";
import { VIEWS } from "../ops/rules.ts";
import { sizeOf } from "../tensor.ts";
import { type Node, type Program, prune, type Scope } from "./program.ts";

/** Selects the nodes of the forward pass that are kept. Leaves are always kept. */
export type Keep = (node: Node, id: number) => boolean;

/** Keeps the outputs of modules by their tap names, such as those of all layers: /^layers\.\d+\.[01]$/ */
export const keepTaps = (names: RegExp): Keep => {
  const tapName = (attrs: object) => ("name" in attrs && typeof attrs.name === "string" ? attrs.name : "");
  return ({ op, attrs }) => op === "tap" && names.test(tapName(attrs)); // [checkpointing.keep]
};

/**
 * The same program with the same results, bit for bit, in less memory. `loss` names the output at which the forward pass ends.
 * The mask of a dropout is a constant of the program, so the second computation drops the same elements. [checkpointing.same]
 * Throws a ShapeError if the program has no output of this name.
 */
export function gradientCheckpointing(program: Program, loss: string, keep: Keep): Program {
  checkMember("gradientCheckpointing", { program }, "nodes", "a program, as record returns it");
  const last = program.outputs[loss];
  if (last === undefined)
    throw new ShapeError(
      `this program has no output "${loss}"; it has ${Object.keys(program.outputs).join(", ")}`,
    );
  const forward = program.nodes.slice(0, last + 1);
  const kept = forward.map((node, id) => node.op === "leaf" || id === last || keep(node, id));
  const nodes: Node[] = [...forward];
  const recomputed = new Map<number, number>();
  /** The node that derivatives read in place of a node of the forward pass. */
  const copyOf = (id: number): number => {
    if (kept[id]) return id;
    const known = recomputed.get(id);
    if (known !== undefined) return known;
    const node = forward[id] as Node;
    const clone = { ...node, inputs: node.inputs.map(copyOf), scope: -1 }; // [checkpointing.again]
    recomputed.set(id, nodes.push(clone) - 1);
    return nodes.length - 1;
  };
  const moved: number[] = [];
  const newId = (id: number): number => (id <= last ? id : (moved[id] ?? id));
  /** The node that a derivative reads. */
  const operand = (id: number): number => (id <= last ? copyOf(id) : newId(id));
  const backward = program.scopes.filter(({ first }) => first > last);
  for (let id = last + 1; id < program.nodes.length; id++) {
    for (const { inputs } of backward.filter(({ first }) => first === id))
      Object.values(inputs).forEach(operand);
    const node = program.nodes[id] as Node;
    const inputs = node.inputs.map(operand);
    moved[id] = nodes.push({ ...node, inputs }) - 1;
  }
  return prune({
    ...program,
    nodes,
    outputs: renumbered(program.outputs, newId),
    taps: renumbered(program.taps, newId),
    leaves: renumbered(program.leaves, newId),
    bindings: new Map([...program.bindings].map(([id, t]) => [newId(id), t])),
    scopes: program.scopes.map((s) => (s.first > last ? movedScope(s, newId, operand) : s)),
  });
}

type Renumber = (id: number) => number;

const renumbered = (ids: Readonly<Record<string, number>>, renumber: Renumber): Record<string, number> =>
  Object.fromEntries(Object.entries(ids).map(([name, id]) => [name, renumber(id)]));

const movedScope = (s: Scope, newId: Renumber, operand: Renumber): Scope => ({
  ...s,
  inputs: renumbered(s.inputs, operand),
  first: newId(s.first),
  end: newId(s.end - 1) + 1,
  outputs: renumbered(s.outputs, newId),
});

/**
 * The largest number of elements that are alive at once while the nodes are computed in order. A view keeps the array that it shows
 * alive and adds nothing; leaves are not counted.
 */
export function peakLiveElements(program: Program): number {
  checkMember("peakLiveElements", { program }, "nodes", "a program, as record returns it");
  const freed = program.nodes.map((): number[] => []);
  const until = new Int32Array(program.nodes.length).fill(-1);
  /** For each node, the node whose array holds its elements; −1 for a leaf's. */
  const owner: number[] = [];
  for (const [id, node] of program.nodes.entries()) {
    if (node.op === "leaf") owner[id] = -1;
    else owner[id] = VIEWS.has(node.op) ? (owner[node.inputs[0] ?? -1] ?? -1) : id;
    for (const input of node.inputs) if ((owner[input] ?? -1) >= 0) until[owner[input] ?? 0] = id;
  }
  for (const id of [...Object.values(program.outputs), ...Object.values(program.taps)])
    if ((owner[id] ?? -1) >= 0) until[owner[id] ?? 0] = program.nodes.length;
  for (const [id, end] of until.entries()) freed[end]?.push(id);
  let [live, peak] = [0, 0];
  for (const [id, node] of program.nodes.entries()) {
    if (owner[id] === id) live += sizeOf(node.shape);
    peak = Math.max(peak, live); // [checkpointing.memory]
    for (const done of freed[id] ?? []) live -= sizeOf(program.nodes[done]?.shape ?? []);
  }
  return peak;
}
