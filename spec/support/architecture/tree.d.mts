// Types of tree.mjs.
export const repository: string;
export function readTree(paths: readonly string[], matching: RegExp, root?: string): Map<string, string>;
