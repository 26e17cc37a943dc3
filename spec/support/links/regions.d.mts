// Types of regions.mjs.
export function region(
  source: string,
  name: string,
): { text: string; problem?: never } | { text?: never; problem: string };
export function refresh(
  path: string,
  document: string,
  sourceOf: (path: string) => string | undefined,
): { text: string; problems: string[] };
