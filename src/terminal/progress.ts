// A progress bar on stderr, only on a terminal.

const WIDTH = 24;

export interface Progress {
  step(done: number, total: number, label: string): void;
  clear(): void;
}

export function progressOn(stream: NodeJS.WriteStream): Progress {
  if (!stream.isTTY) return { step() {}, clear() {} };
  return {
    step(done, total, label) {
      const filled = Math.round((WIDTH * done) / Math.max(1, total));
      const bar = "━".repeat(filled) + "╌".repeat(WIDTH - filled);
      const room = Math.max(0, (stream.columns ?? 80) - WIDTH - 14);
      stream.write(`\r\u001b[2K${bar} ${Math.floor(done)}/${total} ${label.slice(0, room)}`);
    },
    clear() {
      stream.write("\r\u001b[2K");
    },
  };
}
