/** The WebAssembly module in base64. `read` returns the text of a file, or null if there is none. */
export function compileKernels(
  read: (name: string) => string | null,
  more?: readonly string[],
): Promise<string>;
