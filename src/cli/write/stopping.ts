// Ctrl-C and SIGTERM stop generation; a second signal ends the process at once.
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
