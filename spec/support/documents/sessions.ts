// A process that runs the blocks of a page one after another, like a reader's terminal: a shell, or a module of Node.
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";

export interface Ran {
  /** What the block wrote, stdout and stderr together. */
  readonly printed: string;
  /** The exit status of the last command that failed; 0 if all succeeded; null if the process ended or took too long. */
  readonly status: number | null;
}

/** Ends what a block writes; behind it, the status. */
export const END = "\u0001end of block";

export class Session {
  readonly #child: ChildProcessWithoutNullStreams;
  #output = "";
  #ended = false;
  #notify: () => void = () => {};

  /** The command's stderr goes where its stdout goes, so that their order is kept. */
  constructor(cwd: string, env: NodeJS.ProcessEnv, command: string, ...args: readonly string[]) {
    this.#child = spawn("bash", ["-c", 'exec "$0" "$@" 2>&1', command, ...args], {
      cwd,
      env,
      detached: true,
    });
    this.#child.stdout.setEncoding("utf8");
    this.#child.stdout.on("data", (text: string) => {
      this.#output += text;
      this.#notify();
    });
    this.#child.on("close", () => {
      this.#ended = true;
      this.#notify();
    });
    this.#child.stdin.on("error", () => {}); // the process has ended, which is reported as such
  }

  /** Writes `text` to the process's stdin and waits until it prints the end of a block, for at most `seconds`. */
  async send(text: string, seconds: number): Promise<Ran> {
    this.#child.stdin.write(text);
    const until = Date.now() + 1000 * seconds;
    const timer = setTimeout(() => this.#notify(), 1000 * seconds + 10);
    try {
      for (;;) {
        const [, printed = "", status] =
          new RegExp(`^([\\s\\S]*?)\\n?${END} (\\d+)\\n`).exec(this.#output) ?? [];
        if (status !== undefined) {
          this.#output = this.#output.slice(this.#output.indexOf("\n", this.#output.indexOf(END)) + 1);
          return { printed, status: Number(status) };
        }
        if (this.#ended || Date.now() >= until) return { printed: this.#output, status: null };
        await new Promise<void>((resolve) => {
          this.#notify = resolve;
        });
      }
    } finally {
      clearTimeout(timer);
    }
  }

  /** Ends the process and all that it started. */
  close(): void {
    const { pid } = this.#child;
    if (pid === undefined) return;
    try {
      process.kill(-pid, "SIGKILL");
    } catch {} // it has ended already
  }
}

/** A block for a shell that reads its script from stdin: a failing command is recorded and does not end the shell. */
export const forShell = (text: string): string =>
  `__status=0; trap '__status=$?' ERR; {\n${text}\n} </dev/null; trap - ERR; printf '\\n${END} %s\\n' "$__status"\n`;
