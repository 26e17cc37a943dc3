// flamboyance train TASK
import { trainDigitsTask } from "../train/digits.ts";
import { trainKosmosTask } from "../train/kosmos-digits.ts";
import { isPerceiverTask, trainPerceiverTask } from "../train/perceiver.ts";
import { trainSmolTask } from "../train/smollm2-digits.ts";

export async function train(args: readonly string[]): Promise<number> {
  const [first, ...rest] = args;
  if (first !== undefined && isPerceiverTask(first)) return trainPerceiverTask(first, rest);
  if (first === "kosmos-digits") return trainKosmosTask(rest);
  if (first === "smollm2-digits") return trainSmolTask(rest);
  return trainDigitsTask(args);
}
