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
      const filled = Math.round((WIDTH * done) / Math.max(1, total));
      const bar = "━".repeat(filled) + "╌".repeat(WIDTH - filled);
      const space = Math.max(0, (stream.columns ?? 80) - WIDTH - 14);
      stream.write(`\r\u001b[2K${bar} ${Math.floor(done)}/${total} ${clip(printableLine(label), space)}`);
    },
    clear() {
      stream.write("\r\u001b[2K");
    },
  };
}
