// Gradient checkpointing: Chen et al., arXiv 1604.06174, §3, as a rewrite of the program.
//
// Derivatives read intermediates of the forward pass, which are therefore alive all the while. Here only some of them are
// kept; whatever else a derivative reads is computed again, from those, just before it is needed.
import { ShapeError } from "../errors.ts";
import { sizeOf } from "../tensor.ts";
import { type Node, type Program, prune } from "./program.ts";

/** Which nodes of the forward pass are kept. Leaves always are. */
export type Keep = (node: Node, id: number) => boolean;

/** Keeps the outputs of modules by their tap names, such as those of all layers: /^layers\.\d+\.[01]$/ */
export const keepTaps = (names: RegExp): Keep => {
  const tapped = (attrs: object) => ("name" in attrs && typeof attrs.name === "string" ? attrs.name : "");
  return ({ op, attrs }) => op === "tap" && names.test(tapped(attrs)); // [recompute.keep]
};

/**
 * The same program, number for number, in less memory. `loss` names the output at which the forward pass ends. A dropout's mask
 * stands in the program, so that the second computation drops the same elements. [recompute.same]
 */
export function gradientCheckpointing(program: Program, loss: string, keep: Keep): Program {
  const last = program.outputs[loss];
  if (last === undefined)
    throw new ShapeError(
      `this program has no output "${loss}"; it has ${Object.keys(program.outputs).join(", ")}`,
    );
  const forward = program.nodes.slice(0, last + 1);
  const kept = forward.map((node, id) => node.op === "leaf" || id === last || keep(node, id));
  const nodes: Node[] = [...forward];
  const again = new Map<number, number>();
  /** A node of the forward pass, as the derivatives are to read it. */
  const fresh = (id: number): number => {
    if (kept[id]) return id;
    const known = again.get(id);
    if (known !== undefined) return known;
    const node = forward[id] as Node;
    const clone = { ...node, inputs: node.inputs.map(fresh), scope: -1 }; // [recompute.again]
    again.set(id, nodes.push(clone) - 1);
    return nodes.length - 1;
  };
  const moved: number[] = [];
  const now = (id: number): number => (id <= last ? id : (moved[id] ?? id));
  /** What a derivative reads. */
  const read = (id: number): number => (id <= last ? fresh(id) : now(id));
  const backward = program.scopes.filter(({ first }) => first > last);
  for (let id = last + 1; id < program.nodes.length; id++) {
    for (const { inputs } of backward.filter(({ first }) => first === id))
      Object.values(inputs).forEach(read);
    const node = program.nodes[id] as Node;
    const inputs = node.inputs.map(read);
    moved[id] = nodes.push({ ...node, inputs }) - 1;
  }
  const each = (ids: Readonly<Record<string, number>>) =>
    Object.fromEntries(Object.entries(ids).map(([name, id]) => [name, now(id)]));
  return prune({
    ...program,
    nodes,
    outputs: each(program.outputs),
    taps: each(program.taps),
    leaves: each(program.leaves),
    bindings: new Map([...program.bindings].map(([id, t]) => [now(id), t])),
    scopes: program.scopes.map((s) => (s.first > last ? { ...s, ...movedScope(s, now, read) } : s)),
  });
}

type Place = Pick<Program["scopes"][number], "inputs" | "first" | "end" | "output">;
const movedScope = (
  { inputs, first, end, output }: Place,
  now: (id: number) => number,
  read: (id: number) => number,
): Place => ({
  inputs: Object.fromEntries(Object.entries(inputs).map(([name, id]) => [name, read(id)])),
  first: now(first),
  end: now(end - 1) + 1,
  output: now(output),
});

const VIEWS = new Set(["leaf", "expand", "repeat", "rearrange", "slice", "tap", "detach"]);

/** The most numbers that are alive at once while the program runs in order; views and leaves count nothing. */
export function peakLiveElements(program: Program): number {
  const freed = program.nodes.map((): number[] => []);
  const until = new Int32Array(program.nodes.length).fill(-1);
  const owner = program.nodes.map((node, id) => (VIEWS.has(node.op) ? -1 : id));
  for (const [id, node] of program.nodes.entries()) {
    if (VIEWS.has(node.op)) owner[id] = owner[node.inputs[0] ?? -1] ?? -1; // a view keeps what it shows alive
    for (const input of node.inputs) if ((owner[input] ?? -1) >= 0) until[owner[input] ?? 0] = id;
  }
  for (const id of [...Object.values(program.outputs), ...Object.values(program.taps)])
    if ((owner[id] ?? -1) >= 0) until[owner[id] ?? 0] = program.nodes.length;
  for (const [id, end] of until.entries()) freed[end]?.push(id);
  let [alive, most] = [0, 0];
  for (const [id, node] of program.nodes.entries()) {
    if (owner[id] === id) alive += sizeOf(node.shape);
    most = Math.max(most, alive); // [recompute.memory]
    for (const done of freed[id] ?? []) alive -= sizeOf(program.nodes[done]?.shape ?? []);
  }
  return most;
}
