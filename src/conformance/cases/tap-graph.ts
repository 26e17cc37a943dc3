// Which named activations and outputs are computed from which.
import type { Program } from "../../tensor/program/program.ts";

/**
 * By tap ("taps.attn"): the taps and outputs ("outputs.out") that are computed from it without another tap in between. Taps of
 * one node follow each other in the order of their names in the program.
 */
export function nextTaps(program: Program, outputs: readonly string[]): Map<string, string[]> {
  const taps = Object.entries(program.taps).map(([name, id]) => ({ name: `taps.${name}`, id }));
  const results = outputs.flatMap((name) => {
    const id = program.outputs[name];
    return id === undefined ? [] : [{ name: `outputs.${name}`, id }];
  });
  const last = new Map(taps.map(({ name, id }) => [id, name]));
  const next = new Map(taps.map(({ name }): [string, string[]] => [name, []]));
  const link = (from: string | undefined, to: string) => {
    if (from !== undefined) next.get(from)?.push(to);
  };
  const met = new Map<number, string>();
  for (const { name, id } of [...taps, ...results]) {
    const same = met.get(id);
    met.set(id, name);
    if (same !== undefined) link(same, name);
    else for (const before of tapsBefore(program, id, last)) link(before, name);
  }
  return next;
}

/** The taps that a node is computed from without another tap in between. */
function tapsBefore(program: Program, node: number, last: ReadonlyMap<number, string>): Set<string> {
  const found = new Set<string>();
  const seen = new Set<number>();
  const waiting = [...(program.nodes[node]?.inputs ?? [])];
  for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
    if (seen.has(id)) continue;
    seen.add(id);
    const name = last.get(id);
    if (name === undefined) waiting.push(...(program.nodes[id]?.inputs ?? []));
    else found.add(name);
  }
  return found;
}
