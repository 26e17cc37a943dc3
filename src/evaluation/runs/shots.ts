// Which demonstrations stand before an example: drawn anew for each, from a seed, so that a run that goes on draws the same ones.
import { checkValue, whole } from "../../nn/options.ts";
import { RuleError } from "../../tensor/errors.ts";
import { checkMember } from "../../tensor/given.ts";
import { generator } from "../../tensor/random.ts";

/**
 * The indices of `shots` different demonstrations of `size` for the example of this number, without the example itself if it is one of them: `own` is its
 * index among them, or null. They depend on the seed and the number alone. Throws a RuleError if there are too few.
 */
export function drawnShots(
  size: number,
  options: {
    readonly shots: number;
    readonly seed: number;
    readonly example: number;
    readonly own: number | null;
  },
): number[] {
  checkMember("drawnShots", { options }, "shots", "an object with shots, seed, example and own");
  const { shots, seed, example, own } = options;
  checkValue("drawnShots", "shots", shots, whole(0, 2 ** 16));
  const left = size - (own === null ? 0 : 1);
  if (shots > left)
    throw new RuleError(
      `${shots} demonstrations are asked for, and there are ${left}${own === null ? "" : " beside the example itself"}; give more of them, or ask for fewer`,
      "shots.enough",
    ); // [shots.enough]
  const { uniform } = generator(seed, `demonstrations of example ${example}`); // [shots.seed]
  const chosen: number[] = [];
  while (chosen.length < shots) {
    const at = Math.floor(uniform() * size);
    if (at !== own && !chosen.includes(at)) chosen.push(at); // [shots.others]
  }
  return chosen;
}
