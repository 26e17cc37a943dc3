// Recording: the ops, taps and scopes that a function executes, as a program.
import { Bug, ShapeError } from "../errors.ts";
import { checkGiven, checkMember } from "../given.ts";
import { identity } from "../ops/elementwise.ts";
import type { OpName } from "../ops/table.ts";
import { Tensor } from "../tensor.ts";
import { walk } from "../walk.ts";
import { applyRule, type Outputs, type Recorder, recording } from "./apply.ts";
import { isConstant } from "./constants.ts";
import type { Node, Program, Scope } from "./program.ts";

type Tensors = Readonly<Record<string, Tensor>>;

/** A scope while it is being recorded. */
type OpenScope = { -readonly [K in keyof Scope]: Scope[K] };

const LARGE = 4096;

/** The tensors of a recording by id, and the paths of modules and tensors; a tied tensor has several. */
interface Known {
  readonly ids: Map<Tensor, number>;
  readonly names: ReadonlyMap<object, readonly string[]>;
}

/** The program that a function executes, from its beginning or from the end of another program. */
class Recording implements Recorder {
  readonly symbolic: boolean;
  readonly #nodes: Node[];
  readonly #scopes: OpenScope[];
  readonly #taps: Record<string, number>;
  readonly #leaves: Record<string, number>;
  readonly #bindings: Map<number, Tensor>;
  readonly #warnings: string[];
  readonly #known: Known;
  #scope = -1;

  constructor(known: Known, symbolic: boolean, before?: Program) {
    this.symbolic = symbolic;
    this.#known = known;
    this.#nodes = [...(before?.nodes ?? [])];
    this.#scopes = [...(before?.scopes ?? [])];
    this.#taps = { ...before?.taps };
    this.#leaves = { ...before?.leaves };
    this.#bindings = new Map(before?.bindings);
    this.#warnings = [...(before?.warnings ?? [])];
  }

  /** Runs `f` and returns its program, with what `f` returns as outputs. */
  run(f: () => Outputs): Program {
    const outputs = recording(this, () => this.#idsOf(byName(f())));
    return {
      nodes: this.#nodes,
      scopes: this.#scopes,
      outputs,
      taps: this.#taps,
      leaves: this.#leaves,
      bindings: this.#bindings,
      warnings: this.#warnings,
    }; // [program.plain]
  }

  op(op: OpName, attrs: object, inputs: readonly Tensor[], out: Tensor): void {
    const ids = inputs.map((t) => this.#idOf(t));
    this.#push(out, op, attrs, ids); // [record.eager]
  }

  tap(owner: object, name: string, x: Tensor): Tensor {
    const path = this.#known.names.get(owner)?.[0] ?? owner.constructor.name;
    const base = [path, name].filter(Boolean).join("."); // [tap.path]
    if (base === "") return x; // the output of the model itself is not a tap
    let full = base;
    for (let n = 2; full in this.#taps; n++) full = `${base}@${n}`; // [tap.again]
    const out = applyRule("tap", identity, { name: full }, x);
    this.#taps[full] = this.#idOf(out);
    return out;
  }

  scope<T extends Outputs>(name: string, inputs: Tensors, attrs: object, body: () => T): T {
    const open: OpenScope = {
      name,
      parent: this.#scope,
      attrs,
      inputs: this.#idsOf(inputs),
      first: this.#nodes.length,
      end: -1,
      outputs: {},
    };
    this.#scope = this.#scopes.push(open) - 1;
    try {
      const out = body();
      open.outputs = this.#idsOf(byName(out));
      open.end = this.#nodes.length; // [scope.range]
      return out;
    } finally {
      this.#scope = open.parent;
    }
  }

  #push(t: Tensor, op: Node["op"], attrs: object, inputs: readonly number[]): number {
    const id = this.#nodes.push({ op, attrs, inputs, shape: t.shape, scope: this.#scope }) - 1;
    this.#known.ids.set(t, id);
    return id;
  }

  /** The node of a tensor. A tensor that was not computed while recording becomes a leaf. */
  #idOf(t: Tensor): number {
    const { ids, names } = this.#known;
    const known = ids.get(t);
    if (known !== undefined) return known;
    const id = this.#push(t, "leaf", {}, []);
    this.#bindings.set(id, t);
    const own = names.get(t) ?? [];
    for (const name of own) this.#leaves[name] = id; // [record.leaves]
    if (own.length === 0 && names.size > 0 && t.size > LARGE && !isConstant(t)) {
      // [record.warns]
      this.#warnings.push(
        `a constant of shape [${t.shape.join(" ")}] is neither an input nor a parameter of the model`,
      );
    }
    return id;
  }

  #idsOf(tensors: Tensors): Record<string, number> {
    return Object.fromEntries(Object.entries(tensors).map(([key, t]) => [key, this.#idOf(t)]));
  }
}

const kindOf = (value: unknown): string => {
  if (value instanceof Promise) return "a promise";
  return value === null ? "null" : Array.isArray(value) ? "a list" : typeof value;
};

/** Outputs by name. Throws a ShapeError unless a function returned a tensor, or an object with tensors only. */
function byName(out: Outputs): Tensors {
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

export interface RecordOptions {
  /** Gives modules and parameters their paths. */
  readonly model?: object | undefined;
  readonly inputs?: Readonly<Record<string, Tensor>> | undefined;
  /** Records shapes only, without computing or reading values. */
  readonly symbolic?: boolean | undefined;
}

/**
 * Runs `f` and records its program. Every tensor that `f` uses but does not compute is a leaf. A recording inside a recording is
 * a `Bug`. Throws a ShapeError if `f` returns anything but a tensor or an object with tensors.
 */
export function record(
  f: () => Outputs,
  { model, inputs = {}, symbolic = false }: RecordOptions = {},
): Program {
  checkGiven("record", { f }, "a function");
  const names = new Map<object, string[]>();
  const name = (value: object, path: string) => names.set(value, [...(names.get(value) ?? []), path]);
  if (model) for (const [path, value] of walk(model)) name(value, path);
  for (const [key, t] of Object.entries(inputs)) name(t, key);
  return new Recording({ ids: new Map(), names }, symbolic).run(f);
}

/**
 * Continues a program: `at` gives its nodes as symbolic tensors, so that rewrites are written in the same ops. The outputs of the
 * result are those that `f` returns: `extend(program, (at) => ({ loss: sumAll(square(at(program.outputs.y))) }))`. Throws a ShapeError if these are no
 * tensors.
 */
export function extend(program: Program, f: (at: (id: number) => Tensor) => Record<string, Tensor>): Program {
  checkMember("extend", { program }, "nodes", "a program, as record returns it");
  const handles = program.nodes.map((node, id) => program.bindings.get(id) ?? new Tensor(node.shape));
  const at = (id: number): Tensor => {
    const t = handles[id];
    if (!t) throw new Bug(`a program of ${handles.length} nodes has no node ${id}`);
    return t;
  };
  const ids = new Map(handles.map((t, id) => [t, id])); // [program.extend]
  return new Recording({ ids, names: new Map() }, true, program).run(() => f(at));
}
