// A progress bar, drawn on terminals only.
import { clip, printableLine } from "./width.ts";

const WIDTH = 24;

export interface Progress {
  /** Redraws the bar. Fractions of a step are allowed. */
  step(done: number, total: number, label: string): void;
  clear(): void;
}

/** The part of a stream that the bar needs. */
export interface Terminal {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

/** A bar on a terminal; on any other stream nothing is written. */
export function progressOn(stream: Terminal): Progress {
  if (!stream.isTTY) return { step() {}, clear() {} };
  return {
    step(done, total, label) {
      const columns = stream.columns || 80; // 0 where a terminal does not know its size
      const count = `${Math.floor(done)}/${total}`;
      const width = Math.min(WIDTH, Math.max(0, columns - count.length - 2));
      const filled = Math.min(width, Math.round((width * done) / Math.max(1, total)));
      const bar = "━".repeat(filled) + "╌".repeat(width - filled);
      const line = `${bar} ${count} ${printableLine(label)}`.trimStart();
      stream.write(`\r\u001b[2K${clip(line, columns - 1)}`); // the last column would begin a new line
    },
    clear() {
      stream.write("\r\u001b[2K");
    },
  };
}
