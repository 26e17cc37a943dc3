// The options of `flamboyance perceiver`.
import type { ModelRequest, Preparation } from "../../demos/perceiver/models.ts";
import type { Running } from "../../demos/perceiver/tasks.ts";
import { oneOf, optionalWhole, type readArguments, wholeOption } from "../arguments.ts";
import { UsageError } from "../usage-error.ts";

export const PERCEIVER_OPTIONS = {
  model: { type: "string" },
  profile: { type: "string", default: "perceiver-io@64947cf" },
  prep: { type: "string" },
  hide: { type: "string" },
  out: { type: "string" },
  frames: { type: "string" },
  chunks: { type: "string" },
  small: { type: "boolean", default: false },
  seed: { type: "string" },
  backend: { type: "string", default: "auto" },
  json: { type: "boolean", default: false },
  help: { type: "boolean", default: false },
} as const;

export type PerceiverValues = ReturnType<typeof readArguments<typeof PERCEIVER_OPTIONS>>["values"];

export const TASKS = ["classify", "mask-fill", "flow", "autoencode"] as const;
export type Task = (typeof TASKS)[number];

/** Positional arguments and options of a task that others do not have. */
const ARGUMENTS: Readonly<
  Record<Task, { readonly names: readonly string[]; readonly options: readonly string[] }>
> = {
  classify: { names: ["PICTURE"], options: ["prep"] },
  "mask-fill": { names: ["TEXT"], options: ["hide"] },
  flow: { names: ["PICTURE1", "PICTURE2"], options: ["out"] },
  autoencode: { names: ["FRAMES", "SOUND"], options: ["out", "frames", "chunks"] },
};
const OWN = ["prep", "hide", "out", "frames", "chunks"] as const;

export interface PerceiverRequest extends ModelRequest {
  readonly task: Task;
  readonly inputs: readonly string[];
  readonly preparation: Preparation;
  readonly hide: string | undefined;
  readonly out: string | undefined;
  readonly frames: number;
  readonly chunks: number;
  readonly backend: string;
  readonly json: boolean;
}

/** What a task needs to run. */
export interface TaskContext extends Running {
  readonly request: PerceiverRequest;
}

/** Throws a UsageError unless a task has its arguments, and no options of others. */
function checkArguments(task: Task, inputs: readonly string[], values: PerceiverValues): void {
  const { names, options } = ARGUMENTS[task];
  if (inputs.length !== names.length || inputs.includes(""))
    throw new UsageError(`perceiver ${task} takes ${names.join(" and ")}, not ${inputs.length} arguments`);
  const other = OWN.find((name) => values[name] !== undefined && !options.includes(name));
  if (other !== undefined) {
    const tasks = TASKS.filter((each) => ARGUMENTS[each].options.includes(other));
    throw new UsageError(`--${other} is an option of perceiver ${tasks.join(" and ")}, not of ${task}`);
  }
  if (task === "autoencode" && !values.out) throw new UsageError("perceiver autoencode needs --out FOLDER");
  if (values.out === "") throw new UsageError("--out is empty; name a file");
  if (values.hide === "") throw new UsageError("--hide is empty; give a part of the text");
  if (values.model === "") throw new UsageError("--model is empty; name a file or a folder");
  if (values.model !== undefined && values.seed !== undefined)
    throw new UsageError("--seed draws random weights, and --model loads weights; give one of both");
}

/** The request of a command line. Throws a UsageError that names the option and the remedy. */
export function requestOf(values: PerceiverValues, [name, ...inputs]: readonly string[]): PerceiverRequest {
  const task = TASKS.find((each) => each === name);
  if (task === undefined)
    throw new UsageError(
      `perceiver has the tasks ${TASKS.join(", ")}${name === undefined ? "" : `, not "${name}"`}; see flamboyance perceiver --help`,
    );
  checkArguments(task, inputs, values);
  const group = values.small ? 4 : 16;
  const frames = optionalWhole("frames", values.frames, group, 16_384) ?? group;
  if (frames % group !== 0)
    throw new UsageError(
      `--frames is a multiple of ${group}, which the model takes at a time, not ${frames}`,
    );
  return {
    task,
    inputs,
    weights: values.model,
    seed: wholeOption("seed", values.seed ?? "1"),
    isSmall: values.small,
    profile: oneOf("profile", values.profile, ["perceiver-io@64947cf", "deepmind", "transformers@5.18.0"]),
    preparation: oneOf("prep", values.prep ?? "conv", ["conv", "conv1x1", "pixels"]),
    hide: values.hide,
    out: values.out,
    frames,
    chunks: optionalWhole("chunks", values.chunks, 1, 65_536) ?? (values.small ? 4 : 128),
    backend: values.backend,
    json: values.json,
  };
}
