// Real attention out of files that were dropped onto the page: a golden case, or the taps that some run wrote.
import { writeFile } from "#host";
import { findCases, type GoldenCase, readCase } from "../io/cases.ts";
import { openSafetensors, type Stored } from "../io/safetensors.ts";
import { LoadError } from "../tensor/errors.ts";
import { flat, Tensor } from "../tensor/tensor.ts";
import type { Stage, StageName, Stages } from "./block.ts";
import type { State } from "./state.ts";

export interface Trace {
  readonly stages: Stages;
  /** What the page then shows. */
  readonly state: Partial<State>;
}

/** What is dropped is kept in the memory of the page, each time in a folder of its own. */
let dropped = 0;

/** Paths and bytes of what was dropped. Where there is a case.json, it is read as a case. [inspector.drop] */
export function traceOf(files: ReadonlyMap<string, Uint8Array>, state: State): Trace {
  const names = [...files.keys()];
  const manifest = names.find((name) => /(^|\/)case\.json$/.test(name));
  if (manifest !== undefined) return caseTrace(files);
  const tensors = names.filter((name) => name.endsWith(".safetensors")).map((name) => opened(name, files));
  if (tensors.length === 0) {
    throw new LoadError(
      "Drop the files of a golden case (case.json and both .safetensors) or a .safetensors file with taps.",
    );
  }
  return fromTaps(new Map(tensors.flatMap((map) => [...map])), state, names.join(", "));
}

function opened(name: string, files: ReadonlyMap<string, Uint8Array>): Map<string, Stored> {
  const file = openSafetensors(files.get(name) ?? new Uint8Array(), name);
  return new Map(file.keys.map((key) => [key, file.get(key)]));
}

function caseTrace(files: ReadonlyMap<string, Uint8Array>): Trace {
  const folder = `dropped-${++dropped}`;
  for (const [name, bytes] of files) writeFile(`${folder}/${name}`, bytes);
  return traceOfCase(folder);
}

/** The first case at or below a folder. */
export function traceOfCase(below: string): Trace {
  const [folder = below] = findCases([below]);
  return fromCase(readCase(folder)); // [inspector.drop]
}

const whole = (value: unknown, otherwise: number): number =>
  typeof value === "number" && Number.isInteger(value) && value > 0 ? value : otherwise;

/** Text positions of the case as a prompt whose tokens are what the case has: ids, or just “text”. */
function textOf({ inputs, manifest }: GoldenCase): string | null {
  const given = inputs.get("media_locations") ?? inputs.get("text");
  const [b, l] = given?.shape ?? [];
  if (!given || given instanceof Tensor || b === undefined || l === undefined) return null;
  const values = [...given.flat()];
  const media = given.kind === "bool" ? 1 : whole(manifest.config.media_token_id, 3);
  const word = (value: number) => (value === media ? "<image>" : given.kind === "bool" ? "text" : `${value}`); // [inspector.drop]
  return Array.from({ length: b }, (_, i) =>
    values
      .slice(i * l, (i + 1) * l)
      .map(word)
      .join(" "),
  ).join("\n");
}

function fromCase(golden: GoldenCase): Trace {
  const { manifest, inputs, expected } = golden;
  const { config, source } = manifest;
  const stages = stagesIn(expected, manifest.title);
  const media = inputs.get("media")?.shape;
  const latents = media ? whole(media[2], 1) : whole(config.perceiver_num_latents, 64); // the source's default
  const text = textOf(golden);
  const filled = fitted(stages, latents);
  if (text === null) throw new LoadError(`${manifest.id} has no text that its images could be matched with.`);
  const mode = config.only_attend_immediate_media === false ? "all-previous" : "immediate";
  const { images } = filled;
  golden.close();
  return {
    stages: filled.stages,
    state: {
      text,
      images: [images],
      convention: `${source.package}@${source.version} ${mode}`,
      latents: Math.min(latents, 16),
      padding: "right",
    },
  };
}

/** Tap names that end in the taps of a text×image attention; a language model's own attention is called otherwise. */
const ATTENTION = /^(?:taps\.)?(.*attn\.|)attn$/;

function stagesIn(tensors: ReadonlyMap<string, Stored>, origin: string): Stages {
  const found = [...tensors].find(([key, value]) => ATTENTION.test(key) && value.shape.length === 4); // [inspector.drop]
  if (!found)
    throw new LoadError(
      `${origin}: it holds no attention of text over images (a tap “attn.attn” with the axes b h l s).`,
    );
  const [key, attn] = found;
  const prefix = key.slice(0, -"attn".length);
  const module = prefix.replace(/\.$/, "");
  const taps: Record<string, StageName> = {
    [`${prefix}scores`]: "scores",
    [`${prefix}scores.masked`]: "filled",
    [key]: "silenced",
  };
  const stages = Object.entries(taps).flatMap(([name, stage]): Stage[] => {
    const value = tensors.get(name);
    if (!(value instanceof Tensor)) return [];
    return [{ name: stage, over: "keys", shape: value.shape, values: flat(value.data) }]; // [inspector.drop]
  });
  return {
    stages,
    heads: attn.shape[1] ?? 1,
    latents: 1,
    given: null,
    origin: `${origin}, ${module || "the module itself"}`,
  };
}

function fitted(stages: Stages, latents: number): { stages: Stages; images: number } {
  const keys = stages.stages[0]?.shape[3] ?? 0;
  const images = keys / latents;
  if (Number.isInteger(images)) return { stages: { ...stages, latents }, images };
  throw new LoadError(
    `${stages.origin}: ${keys} keys are no whole number of images of ${latents} latents each.`,
  );
}

/** Without a case the prompt of the page is kept where its length is right. */
function fromTaps(tensors: ReadonlyMap<string, Stored>, state: State, origin: string): Trace {
  const found = stagesIn(tensors, origin);
  const latents = (found.stages[0]?.shape[3] ?? 0) % state.latents === 0 ? state.latents : 1;
  const { stages, images } = fitted(found, latents);
  return { stages, state: { images: [images], latents } };
}
