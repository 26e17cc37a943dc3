// Actions to be taken before this process ends, also where a signal ends it: children are terminated, temporary folders removed.
import { constants } from "node:os";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

const actions = new Set<() => void>();

/** The latest first, so that a child is terminated before the folder that it writes into is removed. */
const takeAll = (): void => {
  const all = [...actions].reverse();
  actions.clear();
  for (const action of all) action(); // [io.process]
};

/** The status by which shells report a process that a signal ended. */
const onSignal = (signal: (typeof SIGNALS)[number]): void => {
  takeAll();
  process.exit(128 + constants.signals[signal]); // [io.process]
};

function listen(on: boolean): void {
  const change = on ? "on" : "removeListener";
  process[change]("exit", takeAll);
  for (const signal of SIGNALS) process[change](signal, onSignal);
}

/** Takes an action before this process ends, by itself or by SIGINT, SIGTERM or SIGHUP. Returns a function that withdraws it. */
export function beforeEnd(action: () => void): () => void {
  if (actions.size === 0) listen(true);
  actions.add(action);
  return () => {
    if (actions.delete(action) && actions.size === 0) listen(false);
  };
}
