// Eager execution and recording. Every op is executed by `applyRule`.
import { Bug, ShapeError } from "../errors.ts";
import { identity } from "../ops/elementwise.ts";
import type { AnyRule, OpName, Ops, Rule } from "../ops/table.ts";
import { Tensor } from "../tensor.ts";
import { walk } from "../walk.ts";
import type { Node, Program, Scope } from "./program.ts";

/** A scope while it is being recorded. */
type OpenScope = { -readonly [K in keyof Scope]: Scope[K] };

interface Recorder {
  readonly nodes: Node[];
  readonly scopes: OpenScope[];
  readonly taps: Record<string, number>;
  readonly leaves: Record<string, number>;
  readonly bindings: Map<number, Tensor>;
  readonly warnings: string[];
  readonly ids: Map<Tensor, number>;
  /** Paths of modules and tensors; a tied tensor has several. */
  readonly names: ReadonlyMap<object, readonly string[]>;
  readonly symbolic: boolean;
  scope: number;
}

let recorder: Recorder | null = null;

const LARGE = 4096;

/** Tensors that a model computes from its options. They are no parameters, and no values that were forgotten among them. */
const constants = new WeakSet<Tensor>();

/** Marks a tensor as a constant of the model: a recording does not warn of its size. */
export function constant<T extends Tensor>(t: T): T {
  constants.add(t);
  return t;
}

function push(r: Recorder, t: Tensor, op: Node["op"], attrs: object, inputs: readonly number[]): number {
  const id = r.nodes.push({ op, attrs, inputs, shape: t.shape, scope: r.scope }) - 1;
  r.ids.set(t, id);
  return id;
}

/** The node of a tensor. A tensor that was not computed while recording becomes a leaf. */
function idOf(r: Recorder, t: Tensor): number {
  const known = r.ids.get(t);
  if (known !== undefined) return known;
  const id = push(r, t, "leaf", {}, []);
  r.bindings.set(id, t);
  const names = r.names.get(t) ?? [];
  for (const name of names) r.leaves[name] = id; // [record.leaves]
  if (names.length === 0 && r.names.size > 0 && t.size > LARGE && !constants.has(t)) {
    // [record.warns]
    r.warnings.push(
      `a constant of shape [${t.shape.join(" ")}] is neither an input nor a parameter of the model`,
    );
  }
  return id;
}

const idsOf = (r: Recorder, tensors: Readonly<Record<string, Tensor>>): Record<string, number> =>
  Object.fromEntries(Object.entries(tensors).map(([key, t]) => [key, idOf(r, t)]));

/**
 * Executes an op by its rule: computes the shape and the values (unless symbolic) and adds a node (if recording). Functions of one op
 * name its rule, so that a bundle holds the rules of the ops that it uses; `apply` of ops/rules.ts finds the rule of any op.
 */
export function applyRule<K extends OpName>(
  op: K,
  rule: Rule<K>,
  attrs: Ops[K]["attrs"],
  ...inputs: Ops[K]["in"]
): Tensor {
  const { shape: shapeOf, compute } = rule as unknown as AnyRule;
  for (const [i, t] of inputs.entries())
    if (!(t instanceof Tensor))
      throw new ShapeError(
        `operand ${i + 1} is ${t === null ? "null" : typeof t}, not a tensor  [notation.operands]`,
        op,
      );
  const shape = shapeOf(attrs, ...inputs.map((t) => t.shape));
  const out = new Tensor(
    shape,
    recorder?.symbolic ? undefined : compute(attrs, ...inputs.map((t) => t.data)), // [record.symbolic]
  );
  const r = recorder;
  if (r) {
    const ids = inputs.map((t) => idOf(r, t));
    push(r, out, op, attrs, ids); // [record.eager]
  }
  return out;
}

/**
 * Names an activation (as a forward hook in torch sees it) and returns x: the path of its module followed by the name,
 * `layers.0.1.attn.scores`. The empty name stands for the output of the module. If the module runs again, its taps are named
 * `scores@2` and so on. Nothing happens outside of a recording. Throws a ShapeError, while recording, if x is no tensor.
 */
export function tap<T extends Tensor>(owner: object, name: string, x: T): T {
  const r = recorder;
  if (!r) return x;
  const path = r.names.get(owner)?.[0] ?? owner.constructor.name;
  const base = [path, name].filter(Boolean).join("."); // [tap.path]
  if (base === "") return x; // the output of the model itself is not a tap
  let full = base;
  for (let n = 2; full in r.taps; n++) full = `${base}@${n}`; // [tap.again]
  const out = applyRule("tap", identity, { name: full }, x) as T;
  r.taps[full] = idOf(r, out);
  return out;
}

type Outputs = Tensor | Readonly<Record<string, Tensor>>;

const kindOf = (value: unknown): string => {
  if (value instanceof Promise) return "a promise";
  return value === null ? "null" : Array.isArray(value) ? "a list" : typeof value;
};

/** Outputs by name. Throws a ShapeError unless a function returned a tensor, or an object with tensors only. */
function byName(out: Outputs): Readonly<Record<string, Tensor>> {
  if (out instanceof Tensor) return { out };
  const isRecord =
    typeof out === "object" && out !== null && !Array.isArray(out) && !(out instanceof Promise);
  if (!isRecord)
    throw new ShapeError(
      `a recorded function returns a tensor, or an object with tensors by name, not ${kindOf(out)}  [record.outputs]`,
    ); // [record.outputs]
  const [name, wrong] = Object.entries(out).find(([, t]) => !(t instanceof Tensor)) ?? [];
  if (name === undefined) return out;
  throw new ShapeError(
    `a recorded function returned ${kindOf(wrong)} as ${JSON.stringify(name)}; outputs are tensors  [record.outputs]`,
  ); // [record.outputs]
}

/**
 * Records a scope. The body, in terms of ops, is the definition; a backend may run a fused kernel of this name instead. The body returns
 * one tensor, or several by name. Throws a ShapeError if it returns anything else.
 */
export function scope<I extends Record<string, Tensor>, A extends object, T extends Outputs>(
  name: string,
  inputs: I,
  attrs: A,
  body: (inputs: I, attrs: A) => T,
): T {
  const r = recorder;
  if (!r) return body(inputs, attrs);
  const open: OpenScope = {
    name,
    parent: r.scope,
    attrs,
    inputs: idsOf(r, inputs),
    first: r.nodes.length,
    end: -1,
    outputs: {},
  };
  r.scope = r.scopes.push(open) - 1;
  try {
    const out = body(inputs, attrs);
    open.outputs = idsOf(r, byName(out));
    open.end = r.nodes.length; // [scope.range]
    return out;
  } finally {
    r.scope = open.parent;
  }
}

export interface RecordOptions {
  /** Gives modules and parameters their paths. */
  readonly model?: object | undefined;
  readonly inputs?: Readonly<Record<string, Tensor>> | undefined;
  /** Records shapes only, without computing or reading values. */
  readonly symbolic?: boolean | undefined;
}

function recordWith(r: Recorder, f: () => Outputs): Program {
  if (recorder) throw new Bug("recording inside a recording"); // [record.once]
  recorder = r;
  try {
    const out = f();
    const outputs = idsOf(r, byName(out));
    const { nodes, scopes, taps, leaves, bindings, warnings } = r;
    return { nodes, scopes, outputs, taps, leaves, bindings, warnings }; // [program.plain]
  } finally {
    recorder = null;
  }
}

/**
 * Runs `f` and records its program. Every tensor that `f` uses but does not compute is a leaf. A recording inside a recording is
 * a `Bug`. Throws a ShapeError if `f` returns anything but a tensor or an object with tensors.
 */
export function record(
  f: () => Outputs,
  { model, inputs = {}, symbolic = false }: RecordOptions = {},
): Program {
  const names = new Map<object, string[]>();
  const name = (value: object, path: string) => names.set(value, [...(names.get(value) ?? []), path]);
  if (model) for (const [path, value] of walk(model)) name(value, path);
  for (const [key, t] of Object.entries(inputs)) name(t, key);
  const empty = {
    nodes: [],
    scopes: [],
    taps: {},
    leaves: {},
    bindings: new Map(),
    warnings: [],
    ids: new Map(),
  };
  return recordWith({ ...empty, names, symbolic, scope: -1 }, f);
}

/**
 * Continues a program: `at` gives its nodes as symbolic tensors, so that rewrites are written in the same ops. The outputs of the
 * result are those that `f` returns. Throws a ShapeError if these are no tensors.
 */
export function extend(program: Program, f: (at: (id: number) => Tensor) => Record<string, Tensor>): Program {
  const handles = program.nodes.map((node, id) => program.bindings.get(id) ?? new Tensor(node.shape));
  const at = (id: number): Tensor => {
    const t = handles[id];
    if (!t) throw new Bug(`a program of ${handles.length} nodes has no node ${id}`);
    return t;
  };
  const r: Recorder = {
    nodes: [...program.nodes],
    scopes: [...program.scopes],
    taps: { ...program.taps },
    leaves: { ...program.leaves },
    bindings: new Map(program.bindings),
    warnings: [...program.warnings],
    ids: new Map(handles.map((t, id) => [t, id])), // [program.extend]
    names: new Map(),
    symbolic: true,
    scope: -1,
  };
  return recordWith(r, () => f(at));
}
