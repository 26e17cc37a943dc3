// AssemblyScript. The layout of the control block in the shared memory, which thread-pool.ts writes.

/** The number of the next task. A thread increments it atomically to take the task. */
export const NEXT: usize = 64;
export const COUNT: usize = 128;
export const KERNEL: usize = 132;
/** The address of the scratch memory, and the bytes of it that belong to each thread. */
export const SCRATCH: usize = 136;
export const SCRATCH_SIZE: usize = 140;
export const ARGUMENTS: usize = 192;

/** The i-th argument of the job, as an address or an integer. */
export function argument(i: usize): usize {
  return load<usize>(ARGUMENTS + (i << 2));
}

/** The i-th argument of the job, as a float. */
export function number(i: usize): f32 {
  return load<f32>(ARGUMENTS + (i << 2));
}
