// How examples are put to a model, where it is not the usual way: options of `flamboyance evaluate`, and which of them go together.
import { isRanked, type TaskName } from "../../evaluation/runs/examples.ts";
import { UsageError } from "../usage-error.ts";

export interface Method {
  /** Demonstrations without their images, as open-flamingo's zero-shot evaluation has two of them. */
  readonly textOnly: boolean;
  /** Demonstrations are those whose images are most similar to the example's. */
  readonly rices: boolean;
  /** The folder of another image tower for that. */
  readonly tower: string | null;
  /** Log-probabilities are averaged over orders of the demonstrations. */
  readonly orders: boolean;
  /** The choice whose probability is scored by the area under the ROC curve. */
  readonly positive: string | null;
  /** The image is described first, and the question asked behind the description. */
  readonly chain: boolean;
  /** A file of the names that an answer can be, one a line. */
  readonly only: string | null;
}

export const METHOD_OPTIONS = {
  "text-only": { type: "boolean", default: false },
  rices: { type: "boolean", default: false },
  tower: { type: "string" },
  orders: { type: "boolean", default: false },
  positive: { type: "string" },
  chain: { type: "boolean", default: false },
  only: { type: "string" },
} as const;

export interface MethodValues {
  readonly "text-only": boolean;
  readonly rices: boolean;
  readonly tower?: string | undefined;
  readonly orders: boolean;
  readonly positive?: string | undefined;
  readonly chain: boolean;
  readonly only?: string | undefined;
}

/** Options that do not go together, each with the reason. */
const refusals = (
  { "text-only": textOnly, rices, tower, orders, positive, chain, only }: MethodValues,
  task: TaskName,
  shots: number,
): readonly (readonly [refused: boolean, why: string])[] => {
  const isGenerated = !isRanked(task);
  return [
    [textOnly && !isGenerated, "--text-only is an option of caption, vqa and name"],
    [textOnly && shots === 0, "--text-only has demonstrations without images; give --shots 2"],
    [rices && shots === 0, "--rices chooses demonstrations; give their number with --shots"],
    [tower !== undefined && !rices, "--tower compares images for --rices; give both"],
    [tower === "", "--tower is empty; name a folder"],
    [orders && task !== "rank", "--orders averages log-probabilities of rank"],
    [orders && shots < 2, "--orders needs at least two demonstrations; give --shots 2 or more"],
    [positive !== undefined && task !== "rank", "--positive names a choice of rank"],
    [positive === "", "--positive is empty; name a choice"],
    [chain && task !== "vqa", "--chain asks questions in two stages; its task is vqa"],
    [chain && shots > 0, "--chain has no demonstrations; leave out --shots"],
    [
      only !== undefined && !isGenerated,
      "--only restricts generated answers; choices are given in the lines",
    ],
    [only === "", "--only is empty; name a file"],
    [only !== undefined && chain, "--only and --chain do not go together; leave one out"],
    [task === "iq" && shots > 0, "iq has no demonstrations; leave out --shots"],
    [task === "describe" && shots > 0, "describe has descriptions for demonstrations; leave out --shots"],
  ];
};

/** The method of a command line. Throws a UsageError for options that do not go together. */
export function methodOf(values: MethodValues, task: TaskName, shots: number): Method {
  const refused = refusals(values, task, shots).find(([isRefused]) => isRefused);
  if (refused) throw new UsageError(refused[1]);
  const { "text-only": textOnly, rices, tower = null, orders, positive = null, chain, only = null } = values;
  return { textOnly, rices, tower, orders, positive, chain, only };
}
