// Finds parts of a recorded program: attention and norms by their scopes and taps, linears by their parameters' names.
import { Bug } from "../../tensor/errors.ts";
import type { Mask, OpName, Ops } from "../../tensor/ops/table.ts";
import type { Node, Program, Scope } from "../../tensor/program/program.ts";
import { Bool } from "../../tensor/tensor.ts";
import { walk } from "../../tensor/walk.ts";
import type { Context } from "./mutant.ts";

export interface Found<K extends OpName> {
  readonly id: number;
  readonly node: Node;
  readonly attrs: Ops[K]["attrs"];
}

/** A mask from the host data that a program holds. */
export const boolOf = ({ shape, data, stride, offset }: Mask): Bool => new Bool(shape, data, stride, offset);

/** The nodes of each op, found once for each program. */
type Index = ReadonlyMap<string, readonly Found<OpName>[]>;
const indices = new WeakMap<Program, Index>();

function indexOf(program: Program): Index {
  const index = new Map<string, Found<OpName>[]>();
  for (const [id, node] of program.nodes.entries()) {
    const nodes = index.get(node.op) ?? [];
    nodes.push({ id, node, attrs: node.attrs as Ops[OpName]["attrs"] });
    index.set(node.op, nodes);
  }
  indices.set(program, index);
  return index;
}

/** The nodes of one op, in order. */
export const nodesOf = <K extends OpName>(program: Program, op: K): readonly Found<K>[] =>
  ((indices.get(program) ?? indexOf(program)).get(op) ?? []) as readonly Found<K>[];

/** The first node of one op that reads `id`. */
export const userOf = <K extends OpName>(program: Program, op: K, id: number): Found<K> | null =>
  nodesOf(program, op).find(({ node }) => node.inputs.includes(id)) ?? null;

/** The node of one op that a node's operand is. */
export function operandOf<K extends OpName>(
  program: Program,
  op: K,
  id: number | undefined,
): Found<K> | null {
  const node = id === undefined ? undefined : program.nodes[id];
  return node?.op === op && id !== undefined ? { id, node, attrs: node.attrs as Ops[K]["attrs"] } : null;
}

/** Heads of queries in the groups that share a head of keys and values. */
export const GROUPED = "b (g h) l k -> b g h l k";

export const join = (path: string, name: string): string => (path === "" ? name : `${path}.${name}`);

/** The modules of a class with their paths. */
export const modulesOf = <M extends object>(
  { model }: Context,
  type: abstract new (...args: never[]) => M,
): [path: string, module: M][] =>
  [...walk(model)].filter((entry): entry is [string, M] => entry[1] instanceof type);

export interface Attention {
  readonly path: string;
  readonly scope: Scope;
  readonly softmax: Found<"softmax">;
  /** The fill, and the zeroing after the softmax. */
  readonly masked: Found<"where"> | null;
  readonly zeroing: Found<"where"> | null;
}

/** Every attention of a program. */
export function attentions(program: Program): Attention[] {
  return program.scopes.flatMap((scope) => {
    if (scope.name !== "attention") return [];
    const within = <K extends OpName>(op: K) =>
      nodesOf(program, op).filter(({ id }) => id >= scope.first && id < scope.end);
    const [tap] = within("tap");
    const [softmax] = within("softmax");
    if (!tap || !softmax) throw new Bug("attention without scores or softmax");
    const masks = within("where");
    return [
      {
        path: tap.attrs.name.replace(/\.?scores(@\d+)?$/, ""),
        scope,
        softmax,
        masked: masks.find(({ id }) => id < softmax.id) ?? null,
        zeroing: masks.find(({ id }) => id > softmax.id) ?? null,
      },
    ];
  });
}

/** The attentions whose module is of a class. */
export function attentionsOf<M extends object>(
  context: Context,
  type: abstract new (...args: never[]) => M,
): (Attention & { readonly module: M })[] {
  const modules = new Map(modulesOf(context, type));
  return attentions(context.program).flatMap((attention) => {
    const module = modules.get(attention.path);
    return module ? [{ ...attention, module }] : [];
  });
}

export interface Norm {
  /** The norm module's own path. */
  readonly path: string;
  readonly scope: Scope;
  /** The node that is normalised, and the output after scale and bias. */
  readonly x: number;
  readonly output: number;
}

/** Every layer norm of a program. */
export function normsOf(program: Program): Norm[] {
  return program.scopes.flatMap((scope) => {
    if (scope.name !== "normalize") return [];
    const scaled = userOf(program, "mul", scope.outputs.out ?? -1);
    const shifted = scaled && userOf(program, "add", scaled.id);
    const tapped = shifted && userOf(program, "tap", shifted.id);
    const x = scope.inputs.x ?? -1;
    const output = tapped ?? shifted;
    return output ? [{ path: tapped?.attrs.name ?? "", scope, x, output: output.id }] : [];
  });
}

/** The width of the tokens that a node is projected from; null if no projection leads to it through first operands. */
export function widthBefore(program: Program, id: number | undefined): number | null {
  const node = id === undefined ? undefined : program.nodes[id];
  if (!node) return null;
  if (operandOf(program, "einsum", id)?.attrs.pattern.includes("i, o i ->"))
    return program.nodes[node.inputs[1] ?? -1]?.shape[1] ?? null;
  return widthBefore(program, node.inputs[0]);
}

/** The product of a linear layer with this weight: x and the node. */
export const linearOf = (program: Program, weight: string): Found<"einsum"> | null => {
  const leaf = program.leaves[weight];
  return nodesOf(program, "einsum").find(({ node }) => node.inputs[1] === leaf) ?? null;
};
