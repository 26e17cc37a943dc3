/** A buffer as a kernel reads it. */
export type Floats = readonly (readonly (readonly number[])[])[];

/** The type of `this` inside a kernel: the position of the cell, and compile-time constants such as loop bounds and strides. */
export interface Cell<Names extends string = never> {
  readonly thread: { readonly x: number; readonly y: number; readonly z: number };
  readonly constants: Readonly<Record<Names, number>>;
}
