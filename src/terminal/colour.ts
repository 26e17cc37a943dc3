// Colour, where a terminal shows it and nobody asked for none (https://no-color.org).

export interface Style {
  readonly good: (text: string) => string;
  readonly bad: (text: string) => string;
  readonly faint: (text: string) => string;
  readonly strong: (text: string) => string;
  readonly colour: boolean;
}

export function styleFor(stream: { isTTY?: boolean }): Style {
  const colour = stream.isTTY === true && !process.env.NO_COLOR && process.env.TERM !== "dumb";
  const paint = (code: number) => (text: string) => (colour ? `\u001b[${code}m${text}\u001b[0m` : text);
  return { good: paint(32), bad: paint(31), faint: paint(2), strong: paint(1), colour };
}
