import type { Backend } from "./backend.ts";

const nothing = (): void => {};
/** The end of the last work on each backend, without its result, which belongs to the caller alone. */
const last = new WeakMap<Backend, Promise<unknown>>();

/**
 * Runs `work` after all earlier work on the same backend has ended, successfully or not. Only a backend that stores parameters needs
 * this: two programs may need the same parameter in different layouts.
 */
export function serially<T>(backend: Backend, work: () => Promise<T>): Promise<T> {
  if (!backend.store) return work();
  const done = (last.get(backend) ?? Promise.resolve()).then(work); // [replay.serial]
  last.set(backend, done.then(nothing, nothing));
  return done;
}
