// Which scopes of a program run in fused kernels of a backend, and why others do not.
import {
  isClosed,
  isComputed,
  lastUses,
  liveOutputs,
  type Program,
  type Scope,
  unnamedReads,
} from "../tensor/program/program.ts";
import type { ScopeKernels } from "./backend.ts";

/**
 * Why a scope does not run in the fused kernel of its name. `inputs`: the kernel does not take these inputs. `unnamed-reads`: the body
 * reads a tensor that is not a named input. `inner-reads`: a node after the scope, a tap or an output reads one of its inner nodes.
 * `not-computed`: the body returns an input or a constant.
 */
export type FallbackReason = "inputs" | "unnamed-reads" | "inner-reads" | "not-computed";

/** Scopes that a backend has a kernel for, but whose ops ran one by one: how many, and why. */
export interface ScopeFallback {
  readonly scope: string;
  readonly inputs: readonly string[];
  readonly reason: FallbackReason;
  readonly count: number;
}

export interface Dispatch {
  /** The scopes that run in fused kernels, by the id of their first node. */
  readonly fused: ReadonlyMap<number, Scope>;
  readonly unfused: readonly ScopeFallback[];
}

/** Decides for each scope of a pruned program whether it runs in a fused kernel. A scope inside a fused one is part of it. */
export function dispatch(program: Program, kernels: ScopeKernels): Dispatch {
  const last = lastUses(program);
  const fused = new Map<number, Scope>();
  let unfused: readonly ScopeFallback[] = [];
  let end = 0; // of the last fused scope
  for (const scope of program.scopes) {
    const kernel = kernels[scope.name as keyof ScopeKernels];
    if (!kernel || scope.first < end || liveOutputs(program, scope).length === 0) continue;
    const reason = fallbackReason(program, scope, kernel.takes, last);
    if (reason) unfused = counted([...unfused, fallbackOf(scope, reason)]);
    else {
      fused.set(scope.first, scope); // [replay.dispatch]
      end = scope.end;
    }
  }
  return { fused, unfused };
}

function fallbackReason(
  program: Program,
  scope: Scope,
  takes: readonly (readonly string[])[],
  last: Int32Array,
): FallbackReason | null {
  const names = Object.keys(scope.inputs);
  const takesAll = takes.some((set) => set.length === names.length && set.every((n) => names.includes(n)));
  if (!takesAll) return "inputs"; // [replay.dispatch]
  if (!isComputed(program, scope)) return "not-computed";
  if (unnamedReads(program, scope).size > 0) return "unnamed-reads"; // [replay.dispatch]
  return isClosed(program, scope, last) ? null : "inner-reads"; // [replay.dispatch]
}

const fallbackOf = ({ name, inputs }: Scope, reason: FallbackReason): ScopeFallback => ({
  scope: name,
  inputs: Object.keys(inputs),
  reason,
  count: 1,
});

/** Adds up the counts of equal scopes, inputs and reasons. */
export function counted(all: readonly ScopeFallback[]): readonly ScopeFallback[] {
  const key = ({ scope, inputs, reason }: ScopeFallback) => `${scope} ${inputs} ${reason}`;
  const totals = new Map<string, ScopeFallback>();
  for (const entry of all)
    totals.set(key(entry), { ...entry, count: entry.count + (totals.get(key(entry))?.count ?? 0) });
  return [...totals.values()];
}
