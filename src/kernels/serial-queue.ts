// One replay after another on a backend that keeps parameters: two at once would want them laid out in two ways.
import type { Backend } from "./backend.ts";

const last = new WeakMap<Backend, Promise<unknown>>();

/** Does the work when what was asked for before, on the same backend, is done or has failed. */
export function serially<T>(backend: Backend, work: () => Promise<T>): Promise<T> {
  if (!backend.store) return work();
  const done = (last.get(backend) ?? Promise.resolve()).then(work); // [replay.turns]
  last.set(
    backend,
    done.catch(() => undefined),
  );
  return done;
}
