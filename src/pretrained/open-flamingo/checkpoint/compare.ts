// The comparison of a checkpoint with a model, by names and shapes; values are read where copies of a tensor have to agree.
import { type Aside, CheckpointNames } from "../../../models/open-flamingo/checkpoints/names.ts";
import { isVocabularyTable } from "../../../models/open-flamingo/checkpoints/state.ts";
import { isNewLayer } from "../../../models/open-flamingo/names.ts";
import { selected } from "../../../nn/loading/rules.ts";
import { stateDict } from "../../../nn/state-dict.ts";
import type { Tensor } from "../../../tensor/tensor.ts";
import { gptNeoX } from "../../configurations/gpt-neox.ts";
import { gptJ } from "../../configurations/gptj.ts";
import { llama } from "../../configurations/llama.ts";
import type { OpenCheckpoint } from "./open.ts";
import type { CheckpointReport, Copies } from "./report.ts";

type Problems = CheckpointReport["problems"];

/** Buffers that releases of transformers before 4.31 saved. */
const BUFFERS = [...new Set([llama, gptNeoX, gptJ].flatMap(({ buffers }) => buffers))];
const isBuffer = (name: string): boolean => selected(BUFFERS, [name]).rest.length === 0; // [checkpoints.buffers]

/** The names of a checkpoint, each in one place. */
interface Placed {
  readonly prefix: string;
  /** Names in the checkpoint by name of the model. The name of the model itself is first, if it is among them. */
  readonly sources: ReadonlyMap<string, readonly string[]>;
  readonly aside: CheckpointReport["aside"];
  readonly unexpected: readonly string[];
}

function placed(state: ReadonlyMap<string, Tensor>, keys: readonly string[]): Placed {
  const names = new CheckpointNames(state.keys(), keys, isBuffer);
  const sources = new Map<string, string[]>();
  const aside: Record<Aside, string[]> = { "text tower of CLIP": [], buffer: [] };
  const unexpected: string[] = [];
  for (const key of keys) {
    const place = names.placeOf(key);
    if (place === null) unexpected.push(key);
    else if ("aside" in place) aside[place.aside].push(key);
    else {
      const known = sources.get(place.to);
      if (known === undefined) sources.set(place.to, [key]);
      else if (key === place.to) known.unshift(key);
      else known.push(key);
    }
  }
  return { prefix: names.prefix, sources, aside, unexpected };
}

/** Tensors that cannot be loaded: their dtype or shape is wrong, or copies have other values. */
function unfitting(
  state: ReadonlyMap<string, Tensor>,
  checkpoint: OpenCheckpoint,
  sources: Placed["sources"],
): Pick<Problems, "wrongShapes" | "different" | "unreadable"> {
  const wrongShapes: Problems["wrongShapes"][number][] = [];
  const unreadable: Problems["unreadable"][number][] = [];
  const different: Copies[] = [];
  for (const [name, from] of sources) {
    const model = state.get(name)?.shape ?? [];
    let fits = true;
    for (const key of from) {
      const found = checkpoint.shapeOf(key);
      if ("problem" in found)
        unreadable.push({ name: key, problem: found.problem }); // [checkpoints.dtypes]
      else if (found.shape.join(" ") !== model.join(" "))
        wrongShapes.push({ name: key, model, checkpoint: found.shape }); // [checkpoints.shapes]
      else continue;
      fits = false;
    }
    const [first = "", ...others] = from;
    if (fits && others.some((key) => !checkpoint.same(first, key))) different.push({ name, from }); // [checkpoints.copies]
  }
  return { wrongShapes, different, unreadable };
}

/** Parameters that a checkpoint lacks, under their own names and those of tied ones. */
function missingIn(
  state: ReadonlyMap<string, Tensor>,
  sources: Placed["sources"],
): CheckpointReport["missing"] {
  const given = new Set([...sources.keys()].map((name) => state.get(name)));
  const missing = [...state].flatMap(([name, t]) => (given.has(t) ? [] : [name]));
  const [trained, others] = [missing.filter(isNewLayer), missing.filter((name) => !isNewLayer(name))];
  return {
    frozen: others.filter((name) => !isVocabularyTable(name)), // [checkpoints.missing]
    rows: others.filter(isVocabularyTable), // [checkpoints.rows]
    trained,
  };
}

/** Names of the trained part in a checkpoint, under any of their names. */
const OF_TRAINED_PART = /(^|\.)perceiver\.|gated_cross_attn_layers?\./;

/** The numbers of the layers with gated cross-attention. */
function gatedLayers(names: Iterable<string>): number[] {
  const numbers = [...names].flatMap((name) => {
    const [, first, second] =
      /\.(\d+)\.(?:\w+\.)*?gated_cross_attn_layer\.|gated_cross_attn_layers\.(\d+)\./.exec(name) ?? [];
    const number = first ?? second;
    return number === undefined ? [] : [Number(number)];
  });
  return [...new Set(numbers)].sort((a, b) => a - b);
}

/** The report on a checkpoint and a model, and the name in the checkpoint for each parameter that it gives. */
export function compared(
  model: object,
  checkpoint: OpenCheckpoint,
  strict: boolean,
): { readonly report: CheckpointReport; readonly sources: ReadonlyMap<string, string> } {
  const state = stateDict(model);
  const { file, isTraining, besides, keys } = checkpoint;
  const { prefix, sources, aside, unexpected } = placed(state, keys);
  const missing = missingIn(state, sources);
  const layers = { model: gatedLayers(state.keys()), checkpoint: gatedLayers(keys) };
  const sameLayers = layers.model.join() === layers.checkpoint.join();
  const ofTrainedPart = unexpected.filter((name) => OF_TRAINED_PART.test(name));
  const report: CheckpointReport = {
    file,
    isTraining,
    besides,
    prefix,
    tensors: keys.length,
    loaded: [...state.keys()].filter((name) => sources.has(name)),
    copies: [...sources].flatMap(([name, from]) => (from.length > 1 ? [{ name, from }] : [])),
    renamed: [...sources].flatMap(([name, [from = name]]) => (from === name ? [] : [{ name, from }])),
    aside,
    missing,
    unexpected,
    problems: {
      ...unfitting(state, checkpoint, sources),
      gatedLayers: sameLayers ? [] : [layers], // [checkpoints.trained]
      incomplete: [...missing.trained, ...ofTrainedPart], // [checkpoints.trained]
      strict: strict ? [...missing.rows, ...unexpected] : [], // [checkpoints.strict]
    },
  };
  return { report, sources: new Map([...sources].map(([name, [from = name]]) => [name, from])) };
}
