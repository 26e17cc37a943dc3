// flamboyance data: its tasks.

import { writeOut } from "../terminal.ts";
import { UsageError } from "../usage-error.ts";
import { catalogue } from "./catalogue.ts";
import { check } from "./check.ts";
import { DATA } from "./help.ts";
import { mix } from "./mix.ts";
import { pack } from "./pack.ts";

const tasks: Readonly<Record<string, (args: readonly string[]) => number | Promise<number>>> = {
  list: (args) => catalogue("list", args),
  show: (args) => catalogue("show", args),
  check,
  mix,
  pack,
};

export async function data([task, ...args]: readonly string[]): Promise<number> {
  if (task === "--help" || args.includes("--help")) {
    writeOut(DATA);
    return 0;
  }
  const run = task !== undefined && Object.hasOwn(tasks, task) ? tasks[task] : undefined;
  if (!run) {
    const given = task === undefined ? "" : `, not "${task}"`;
    throw new UsageError(`data has the tasks ${Object.keys(tasks).join(", ")}${given}`);
  }
  return run(args);
}
