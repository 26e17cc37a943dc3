// AssemblyScript. Where the control block stands in the shared memory; threads.ts writes it.

/** Next task to be taken; every thread adds one. */
export const NEXT: usize = 64;
export const COUNT: usize = 128;
export const KERNEL: usize = 132;
/** Space of its own for every thread: where it begins, and how much each has. */
export const SCRATCH: usize = 136;
export const SCRATCH_SIZE: usize = 140;
export const ARGUMENTS: usize = 192;

/** The i-th argument of the job. */
export function argument(i: usize): usize {
  return load<usize>(ARGUMENTS + (i << 2));
}

export function number(i: usize): f32 {
  return load<f32>(ARGUMENTS + (i << 2));
}
