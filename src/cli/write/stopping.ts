// Ctrl-C and SIGTERM stop generation; a second signal ends the process at once.
import { writeError } from "../terminal.ts";

const STATUS_OF = { SIGINT: 130, SIGTERM: 143 } as const;

export interface Stopping {
  readonly signal: AbortSignal;
  /** The exit status of the signal that came, or null. */
  readonly status: () => number | null;
}

export function stoppedBySignals(): Stopping {
  const controller = new AbortController();
  let status: number | null = null;
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    process.once(signal, () => {
      status ??= STATUS_OF[signal];
      controller.abort(new Error(`stopped by ${signal}`));
    });
  return { signal: controller.signal, status: () => status };
}

/** The exit status of a command. An error after a signal is the end of the command, and not reported. */
export async function untilStopped({ status }: Stopping, command: () => Promise<number>): Promise<number> {
  try {
    return await command();
  } catch (error) {
    const stopped = status();
    if (stopped === null) throw error;
    writeError("flamboyance: stopped\n");
    return stopped;
  }
}
