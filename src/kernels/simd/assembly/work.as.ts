// AssemblyScript. The loop in which a thread runs tasks of a job.
//
// A job is a kernel, its arguments, and a number of tasks, which may run in any order on any thread. A task depends on its number and
// the arguments only, so the results do not depend on the number of threads.
import { attendFew, combineFew } from "./attend-few.as.ts";
import { attend, markFinite } from "./attention.as.ts";
import { attendVjp } from "./attention-vjp.as.ts";
import { COUNT, KERNEL, NEXT, SCRATCH, SCRATCH_SIZE } from "./control.as.ts";
import { copy, elements } from "./elementwise.as.ts";
import { pack, pack16 } from "./pack.as.ts";
import { peak, peakOperations, sweep } from "./peak.as.ts";
import { multiply, rowTimesPanels } from "./product.as.ts";
import { maxima, normalize, scatter, softmax, sumExp } from "./rows.as.ts";
import { TILE } from "./tile.as.ts";

export { peak, peakOperations };

/** Rows of a tile of the product kernel. */
export function rowTile(): i32 {
  return TILE;
}

/** Runs tasks until none is left, and returns how many it ran. */
export function work(thread: i32): i32 {
  const kernel = load<i32>(KERNEL);
  const count = load<i32>(COUNT);
  const scratch = load<usize>(SCRATCH) + <usize>thread * load<usize>(SCRATCH_SIZE);
  let ran = 0;
  while (true) {
    const task = atomic.add<i32>(NEXT, 1);
    if (task >= count) return ran;
    run(kernel, task, scratch);
    ran++;
  }
}

function run(kernel: i32, task: i32, scratch: usize): void {
  switch (kernel) {
    case 0: return pack(task);
    case 1: return multiply(task, scratch);
    case 2: return rowTimesPanels(task);
    case 3: return markFinite(task);
    case 4: return attend(task, scratch);
    case 5: return elements(task, scratch);
    case 6: return copy(task);
    case 7: return softmax(task);
    case 8: return normalize(task);
    case 9: return attendVjp(task, scratch);
    case 10: return maxima(task);
    case 11: return sumExp(task);
    case 12: return scatter(task);
    case 13: return pack16(task);
    case 14: return attendFew(task, scratch);
    case 15: return combineFew(task);
    case 16: return sweep(task);
    default: unreachable();
  }
}
