// Remarks to the caller that are no errors: each is said once.

const said = new Set<string>();

export function warnOnce(text: string): void {
  if (said.has(text)) return;
  said.add(text);
  console.warn(`flamboyance: ${text}`);
}
