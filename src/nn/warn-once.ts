// Warnings to the caller. Each text is printed once.

const printed = new Set<string>();

export function warnOnce(text: string): void {
  if (printed.has(text)) return;
  printed.add(text);
  console.warn(`flamboyance: ${text}`);
}
