// Reads case.json into types and checks its consistency.
import type { Shape } from "../../tensor/tensor.ts";
import {
  between,
  boolean,
  integer,
  list,
  mapOf,
  number,
  object,
  oneOf,
  optional,
  orNull,
  type Read,
  record,
  refuse,
  shape,
  string,
} from "../fields.ts";
import { type Dtype, WIDTH } from "../safetensors/dtypes.ts";
import { quoted } from "../wording.ts";
import {
  type CaseInput,
  type CaseManifest,
  type CaseTolerance,
  GENERATOR,
  type HalfNoise,
  judgedNames,
  type Raises,
  SCHEMA,
} from "./manifest.ts";
import { recipe } from "./recipe.ts";

const names = list(string);
const strings = mapOf(string);
const shapes = mapOf(shape);

/** Plain names joined by "/", so that results stay in the folder that they are written to. */
export const caseId: Read<string> = (value, at) => {
  const id = string(value, at);
  if (/^[A-Za-z0-9][\w.@+-]*(\/[A-Za-z0-9][\w.@+-]*)*$/.test(id) && id.length <= 200) return id;
  throw refuse(at, `is ${quoted(id)}, not plain names with "/" between them`, "case.id");
};

/** Shapes by key, or { "generated": true, "shapes": … } if no file holds the weights. */
const weights: Read<ReadonlyMap<string, Shape>> = (value, at) =>
  object(value, at).generated === true ? record({ shapes })(value, at).shapes : shapes(value, at);

const schema: Read<typeof SCHEMA> = (value, at) => {
  if (value === SCHEMA) return SCHEMA;
  const given = typeof value === "string" ? `is ${quoted(value)}` : "is no text";
  throw refuse(at, `${given}; this version reads ${SCHEMA}; update the case or this package`, "case.schema");
};

/** The largest noise with which a tensor is judged in half precision: K · noise is then ½. */
const LARGEST_HALF_NOISE = 1 / 16;

const halfNoise: Read<HalfNoise> = (value, at) =>
  typeof value === "string" ? value : mapOf(between(number, 0, LARGEST_HALF_NOISE))(value, at);

const fields = record<CaseManifest>({
  schema,
  id: caseId,
  title: string,
  level: oneOf("op", "module", "block", "model", "decode", "grad", "preprocess", "mask"),
  source: record<CaseManifest["source"]>({
    package: string,
    version: string,
    class: string,
    torch: optional(string, null),
    vitPytorch: optional(string, null),
    python: optional(string, null),
  }),
  profile: string,
  config: object,
  call: strings,
  positional: optional(names, []),
  inputs: mapOf(
    record<CaseInput>({
      dtype: oneOf(...(Object.keys(WIDTH) as Dtype[])),
      shape,
      axes: optional(orNull(string), null),
    }),
  ),
  weights,
  ties: optional(strings, new Map()),
  seed: optional(integer, 0),
  generator: optional(oneOf(GENERATOR), null),
  recipes: optional(mapOf(recipe), new Map()),
  outputs: optional(names, []),
  taps: optional(names, []),
  grads: optional(names, []),
  trainable: optional(orNull(names), null),
  flags: optional(names, []),
  rules: optional(names, []),
  ship: optional(boolean, false),
  full: optional(boolean, false),
  probed: optional(shapes, new Map()),
  raises: optional(
    record<Raises>({ phase: oneOf("construct", "forward"), type: string, message: string }),
    null,
  ),
  tolerance: optional(
    record<CaseTolerance>({
      policy: oneOf("noise"),
      K: between(number, 1, 1000),
      noise: mapOf(between(number, 0, 1)),
      bfloat16: optional(halfNoise, null),
      float16: optional(halfNoise, null),
    }),
    null,
  ),
});

/** Reads case.json and checks that it declares every name that it uses. */
export const caseManifest: Read<CaseManifest> = (value, at) => {
  const manifest = fields(value, at);
  const known = (field: string, name: string, list: { has(name: string): boolean }): void => {
    if (!list.has(name))
      throw refuse({ ...at, field }, `names ${quoted(name)}, which case.json does not declare`, "case.names");
  };
  const { call, inputs, ties, grads, outputs, full, probed, raises, tolerance } = manifest;
  for (const name of call.values()) known("call", name, inputs);
  for (const name of manifest.positional) known("positional", name, call);
  for (const name of ties.values()) known("ties", name, manifest.weights);
  const sources = new Set([...prefixed("inputs", inputs), ...prefixed("weights", manifest.weights)]);
  for (const name of grads) known("grads", name, sources);
  if (full) for (const name of outputs) known("probed", name, probed);
  if (raises !== null) return manifest;
  if (outputs.length === 0)
    throw refuse({ ...at, field: "outputs" }, "names no tensor to compare; add an output", "case.names");
  for (const name of judgedNames(manifest)) known("tolerance.noise", name, tolerance?.noise ?? new Map());
  return manifest;
};

const prefixed = (prefix: string, map: ReadonlyMap<string, unknown>): string[] =>
  [...map.keys()].map((key) => `${prefix}.${key}`);
