// Recorded attention from files that were dropped onto the page: a golden case, or the taps of a run.

import { fromBytes, writeFile } from "#host";
import { conventionOfCase } from "../../../conformance/sources/interface/case-convention.ts";
import { isFloat } from "../../../io/dtypes.ts";
import { findCases, readCase, under } from "../../../io/golden/cases.ts";
import { openSafetensors, type Stored } from "../../../io/safetensors/read.ts";
import { sharesIn } from "../../../mask-report/attention-shares.ts";
import { batchFrom, type MaskBatch } from "../../../mask-report/batch.ts";
import { conventions } from "../../../masks/conventions/conventions.ts";
import { TOKEN } from "../../../masks/counting/counted-text.ts";
import { type PromptToken, tokensOf } from "../../../masks/prompts/prompt.ts";
import { LoadError } from "../../../tensor/errors.ts";
import { Tensor } from "../../../tensor/tensor.ts";
import { batchIn } from "../batch.ts";
import type { Stage, StageName, Stages } from "../layer/block.ts";
import { MOST_LATENTS, type State } from "../state.ts";
import { type Recorded, viewOf } from "../view.ts";
import type { Files } from "./drop.ts";
import { isNeeded } from "./slices.ts";

export interface Trace {
  readonly recorded: Recorded;
  /** The numbers of recorded attention; null if only a mask is recorded. */
  readonly stages: Stages | null;
  /** The changes of the page's state. */
  readonly state: Partial<State>;
}

type Tensors = ReadonlyMap<string, Stored>;

/** Dropped files are kept in the page's memory, in a folder per drop. */
let dropped = 0;

/** Reads dropped files by their paths: a case if there is a case.json, otherwise tensors. Throws a LoadError. */
export function traceOf(files: Files, state: State): Trace {
  const names = [...files.keys()];
  if (names.some((name) => /(^|\/)case\.json$/.test(name))) {
    const folder = `dropped-${++dropped}`;
    for (const [name, source] of files) writeFile(`${folder}/${name}`, source.read(0, source.size));
    try {
      return traceOfCase(folder);
    } finally {
      for (const name of names) writeFile(`${folder}/${name}`, new Uint8Array()); // frees the memory
    }
  }
  const tensors = names.filter((name) => name.endsWith(".safetensors"));
  if (tensors.length === 0)
    throw new LoadError(
      "Drop the three files of a golden case, or a .safetensors file with the taps of a run.",
    );
  return traceOfTensors(
    new Map(tensors.flatMap((name) => [...opened(name, files)])),
    state,
    names.join(", "),
  );
}

/** The tensors that the page uses, and the shapes of all others that hold floats. */
function opened(name: string, files: Files): Tensors {
  const file = openSafetensors(files.get(name) ?? fromBytes(new Uint8Array()), name);
  const keys = file.keys.filter((key) => isNeeded(key) || isFloat(file.info(key).dtype));
  return new Map(keys.map((key) => [key, file.get(key)]));
}

/** The first case at or below a folder. */
export function traceOfCase(below: string): Trace {
  const [folder = below] = findCases([below]);
  const golden = readCase(folder);
  const { manifest, inputs, expected } = golden;
  const image = Number(manifest.config.media_token_id ?? 3); // the source's default
  const taps = under("taps.", expected);
  const trace = traceFrom(batchFrom(manifest.id, inputs, taps, { image }), taps);
  golden.close();
  const convention = conventionOfCase(manifest);
  return convention ? { ...trace, state: { ...trace.state, convention: convention.name } } : trace;
}

/** A run's file has media_locations, or it is taken for a run of the prompt on the page. */
export function traceOfTensors(tensors: Tensors, state: State, title: string): Trace {
  const inputs = new Map([...tensors, ...under("inputs.", tensors)]);
  const taps = new Map([...tensors, ...under("taps.", tensors)]);
  if (inputs.has("media_locations")) return traceFrom(batchFrom(title, inputs, taps, {}), taps);
  const { batch } = viewOf(state);
  const [attention = null, ...otherLayers] = sharesIn(taps, batch.locations.shape, batch.images);
  return traceFrom({ ...batch, title, attention, otherLayers }, taps);
}

function traceFrom(batch: MaskBatch, taps: Tensors): Trace {
  const { images, prompts } = batch;
  const title = batch.title ?? "";
  const { attention } = batch;
  const weights = attention && taps.get(attention.key);
  if (!weights && !batch.recorded) {
    const wanted = `a tap “attn.attn” of ${batch.locations.shape.join(" × ")} tokens over ${images} images`;
    throw new LoadError(`${title} has no attention of text over images; ${wanted} was looked for.`);
  }
  const latents = Math.max(1, (weights?.shape[3] ?? 0) / images);
  const state = {
    prompts: prompts.map((prompt) => prompt.map(wordOf).join(" ")),
    images: [images],
    tiles: [],
    latents: Math.min(latents, MOST_LATENTS),
    padding: "right",
  } as const;
  if (batchIn(state, conventions.immediate).cuts.length > 0) {
    const size = `${batch.locations.shape.join(" × ")} tokens over ${images} images`;
    throw new LoadError(`${title} has ${size}, more than this page shows; use flamboyance mask --trace.`);
  }
  const { otherLayers, recorded, tiles } = batch;
  const stages = attention && stagesIn(taps, attention.key, latents, title);
  return { recorded: { title, attention, otherLayers, recorded, tiles }, stages, state };
}

/** A token as a word that is read as one token of the same kind, whatever its id. */
function wordOf({ text, kind }: PromptToken): string {
  if (kind === TOKEN.text) return tokensOf(text).length === 1 ? text : "text";
  return kind === TOKEN.image ? "<image>" : "</s>";
}

function stagesIn(taps: Tensors, key: string, latents: number, title: string): Stages {
  const prefix = key.slice(0, -"attn".length);
  const names: Record<string, StageName> = {
    [`${prefix}scores`]: "scores",
    [`${prefix}scores.masked`]: "masked",
    [key]: "weights",
  };
  const stages = Object.entries(names).flatMap(([name, stage]): Stage[] => {
    const value = taps.get(name);
    if (!(value instanceof Tensor)) return [];
    return [{ name: stage, over: "keys", shape: value.shape, values: value.flat() }];
  });
  const heads = taps.get(key)?.shape[1] ?? 1;
  return {
    first: { prompt: 0, position: 0 },
    stages,
    heads,
    latents,
    input: null,
    origin: `${title}, ${key}`,
  };
}
