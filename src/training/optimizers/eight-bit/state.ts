// The state of AdamW with 8-bit state, under the names of bitsandbytes: state1 and state2 are the means of g and g². Where they are bytes,
// absmax1 and absmax2 are the scales of their blocks, and qmap1 and qmap2 the numbers that the bytes stand for.
import type { LoadError } from "../../../tensor/errors.ts";
import { flat, Int, sizeOf, Tensor, view } from "../../../tensor/tensor.ts";
import { type Named, refused, type StoredState, scalar } from "../optimizer.ts";

export interface Wide {
  readonly kind: "32-bit";
  readonly state1: Float32Array;
  readonly state2: Float32Array;
  steps: number;
}

export interface Narrow {
  readonly kind: "8-bit";
  readonly state1: Uint8Array;
  readonly state2: Uint8Array;
  readonly absmax1: Float32Array;
  readonly absmax2: Float32Array;
  steps: number;
}

export type State = Wide | Narrow;

/** How the state of a parameter is kept. */
export interface Layout {
  /** Whether a parameter of so many elements has 32-bit state. */
  readonly isWide: (name: string, size: number) => boolean;
  readonly blockSize: number;
  readonly maps: readonly [Float32Array, Float32Array];
}

/** State before the first step: all means are 0. */
export function freshState(name: string, size: number, { isWide, blockSize }: Layout): State {
  if (isWide(name, size))
    return { kind: "32-bit", state1: new Float32Array(size), state2: new Float32Array(size), steps: 0 };
  const blocks = Math.ceil(size / blockSize);
  return {
    kind: "8-bit",
    state1: new Uint8Array(size),
    state2: new Uint8Array(size),
    absmax1: new Float32Array(blocks),
    absmax2: new Float32Array(blocks),
    steps: 0,
  };
}

const floats = (values: Float32Array): Tensor =>
  new Tensor([values.length], view(values.slice(), [values.length]));
const bytes = (values: Uint8Array): Int => new Int([values.length], Int32Array.from(values));

/** The tensors of a parameter's state, by bitsandbytes' names. */
export function tensorsOf(state: State, [qmap1, qmap2]: Layout["maps"]): Map<string, Tensor | Int> {
  const step = ["step", scalar(state.steps)] as const;
  if (state.kind === "32-bit")
    return new Map([["state1", floats(state.state1)], ["state2", floats(state.state2)], step]);
  return new Map<string, Tensor | Int>([
    ["state1", bytes(state.state1)],
    ["state2", bytes(state.state2)],
    ["absmax1", floats(state.absmax1)],
    ["absmax2", floats(state.absmax2)],
    ["qmap1", floats(qmap1)],
    ["qmap2", floats(qmap2)],
    step,
  ]);
}

/** The stored tensors of one parameter, read with checks. */
class Entries {
  readonly #name: string;
  readonly #entries: ReadonlyMap<string, Tensor | Int>;

  constructor(name: string, entries: ReadonlyMap<string, Tensor | Int>) {
    this.#name = name;
    this.#entries = entries;
  }

  refused(kind: string, problem: string): LoadError {
    return refused(`"${kind}.${this.#name}" ${problem}`);
  }

  /** Throws a LoadError unless the kinds are these. */
  checkKinds(wanted: readonly string[]): void {
    const missing = wanted.find((kind) => !this.#entries.has(kind));
    if (missing !== undefined) throw this.refused(missing, "is missing, although other state is there");
    const surplus = [...this.#entries.keys()].find((kind) => !wanted.includes(kind));
    if (surplus !== undefined) throw this.refused(surplus, "is there, although the state has 32 bits");
  }

  get size(): number {
    const state = this.#entries.get("state1");
    if (state === undefined) throw this.refused("state1", "is missing, although other state is there");
    return sizeOf(state.shape);
  }

  get steps(): number {
    const [steps = 0] = this.floats("step", 1);
    if (Number.isSafeInteger(steps) && steps >= 1) return steps;
    throw this.refused("step", `is ${steps}; it has to be a whole number from 1 up`);
  }

  /** Floats in a given number, each finite and, with `least`, at least as large. */
  floats(kind: string, size: number, least = Number.NEGATIVE_INFINITY): Float32Array {
    const values = flat(this.#sized(kind, size, Tensor).data);
    const wrong = values.find((x: number) => !Number.isFinite(x) || Math.fround(x) !== x || x < least);
    if (wrong === undefined) return Float32Array.from(values);
    const bound = least === 0 ? " of at least 0" : "";
    throw this.refused(kind, `is ${wrong}; it has to be a finite number${bound} in float32`);
  }

  bytes(kind: string, size: number): Uint8Array {
    const values = this.#sized(kind, size, Int).flat();
    const wrong = values.find((x) => x < 0 || x > 255);
    if (wrong === undefined) return Uint8Array.from(values);
    throw this.refused(kind, `is ${wrong}; it has to be a byte, from 0 to 255`);
  }

  #sized<T extends Tensor | Int>(kind: string, size: number, type: abstract new (...args: never[]) => T): T {
    const entry = this.#entries.get(kind);
    if (!(entry instanceof type))
      throw this.refused(
        kind,
        `holds ${entry instanceof Int ? "integers" : "floats"}, which is the state of other options`,
      );
    const found = sizeOf(entry.shape);
    if (found !== size) throw this.refused(kind, `has ${found} elements instead of ${size}`);
    return entry;
  }
}

const WIDE = ["state1", "state2", "step"];
const NARROW = ["state1", "state2", "absmax1", "absmax2", "qmap1", "qmap2", "step"];

function stateOf(name: string, entries: Entries, { isWide, blockSize, maps }: Layout): State {
  const { size } = entries;
  if (isWide(name, size)) {
    entries.checkKinds(WIDE);
    const [state1, state2] = [entries.floats("state1", size), entries.floats("state2", size, 0)];
    return { kind: "32-bit", state1, state2, steps: entries.steps };
  }
  entries.checkKinds(NARROW);
  for (const [i, map] of maps.entries()) {
    const kind = `qmap${i + 1}`;
    if (entries.floats(kind, map.length).some((x, at) => x !== map[at]))
      throw entries.refused(kind, "is another map than the one of these options");
  }
  const blocks = Math.ceil(size / blockSize);
  return {
    kind: "8-bit",
    state1: entries.bytes("state1", size),
    state2: entries.bytes("state2", size),
    absmax1: entries.floats("absmax1", blocks, 0),
    absmax2: entries.floats("absmax2", blocks, 0),
    steps: entries.steps,
  };
}

/** The states of parameters from their tensors. Throws a LoadError if they are not whole, or those of other options. [optimizer.state] */
export function restoredStates(
  stored: StoredState,
  names: ReadonlySet<string>,
  layout: Layout,
  parameters: Named | undefined,
): Map<string, State> {
  const byName = new Map<string, Map<string, Tensor | Int>>();
  for (const [key, t] of stored) {
    const dot = key.indexOf(".");
    const [kind, name] = [key.slice(0, dot), key.slice(dot + 1)];
    if (!NARROW.includes(kind) || !names.has(name))
      throw refused(`there is no place for "${key}"; it is of another optimiser or of other parameters`);
    byName.set(name, (byName.get(name) ?? new Map()).set(kind, t));
  }
  return new Map(
    [...byName].map(([name, tensors]) => {
      const entries = new Entries(name, tensors);
      const parameter = parameters?.get(name);
      if (parameter && entries.size !== parameter.size)
        throw entries.refused("state1", `has ${entries.size} elements instead of ${parameter.size}`);
      return [name, stateOf(name, entries, layout)];
    }),
  );
}
