// Reads case.json into types and checks its consistency.
import type { Shape } from "../../tensor/tensor.ts";
import { type Dtype, WIDTH } from "../dtypes.ts";
import {
  between,
  boolean,
  distinct,
  type FieldLocation,
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
import { quoted } from "../wording.ts";
import {
  type CaseInput,
  type CaseManifest,
  type CaseTolerance,
  GENERATOR,
  type HalfNoise,
  judgedNames,
  MOST_K,
  MOST_NOISE,
  type Raises,
  SCHEMA,
} from "./manifest.ts";
import { recipe } from "./recipe.ts";

const names = distinct(list(string));
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
  object(value, at).generated === true
    ? record({ generated: boolean, shapes })(value, at).shapes
    : shapes(value, at);

const schema: Read<typeof SCHEMA> = (value, at) => {
  if (value === SCHEMA) return SCHEMA;
  const given = typeof value === "string" ? `is ${quoted(value)}` : "is no text";
  throw refuse(at, `${given}; this version reads ${SCHEMA}; update the case or this package`, "case.schema");
};

/** The largest noise with which a tensor is judged in half precision: K · noise is then ½. */
const LARGEST_HALF_NOISE = 1 / 16;

const halfNoise: Read<HalfNoise> = (value, at) =>
  typeof value === "string" ? value : mapOf(between(number, 0, LARGEST_HALF_NOISE))(value, at);

/** A noise beyond the bound would let a wrong result pass. [case.tolerance] */
const noise: Read<number> = (value, at) => {
  const n = number(value, at);
  if (n >= 0 && n <= MOST_NOISE) return n;
  const remedy = "choose inputs whose results float32 can represent";
  throw refuse(at, `is ${n}, and a noise is between 0 and ${MOST_NOISE}; ${remedy}`, "case.tolerance");
};

const factor: Read<number> = (value, at) => {
  const k = number(value, at);
  if (k >= 1 && k <= MOST_K) return k;
  throw refuse(at, `is ${k}, and K is at most ${MOST_K}; write ${MOST_K}`, "case.tolerance");
};

const fields = record<Omit<CaseManifest, "unread">>({
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
    languagePackage: optional(string, null),
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
    record<CaseTolerance & { measured: unknown }>({
      policy: oneOf("noise"),
      K: factor,
      noise: mapOf(noise),
      bfloat16: optional(halfNoise, null),
      float16: optional(halfNoise, null),
      measured: (value) => value, // the runs that gave the noise, for information
    }),
    null,
  ),
});

/** Reads case.json and checks that it is consistent: every name that it uses is declared, and every declaration is used. */
export const caseManifest: Read<CaseManifest> = (value, at) => {
  const unread: string[] = [];
  const manifest: CaseManifest = { ...fields(value, { ...at, unread }), unread };
  checkArguments(manifest, at);
  checkAxes(manifest, at);
  checkSources(manifest, at);
  checkGradients(manifest, at);
  checkExpectations(manifest, at);
  return manifest;
};

type Check = (manifest: CaseManifest, at: FieldLocation) => void;

const COTANGENT = "cotangent";

const wrong = (at: FieldLocation, field: string, problem: string, rule = "case.unused"): Error =>
  refuse({ ...at, field }, problem, rule);

/** Each name has to be in the list that declares it. */
function declared(
  at: FieldLocation,
  field: string,
  used: Iterable<string>,
  list: { has(name: string): boolean },
): void {
  for (const name of used)
    if (!list.has(name))
      throw wrong(at, field, `names ${quoted(name)}, which case.json does not declare`, "case.names"); // [case.names]
}

/** Every input is an argument of the call. */
const checkArguments: Check = ({ call, inputs, positional }, at) => {
  const passed = new Set(call.values());
  const inputNames = new Set([...inputs.keys()].filter((name) => name !== COTANGENT));
  declared(at, "call", passed, inputNames);
  declared(at, "positional", positional, call);
  for (const name of inputNames)
    if (!passed.has(name))
      throw wrong(at, "inputs", `has ${quoted(name)}, which no argument of the call takes`); // [case.unused]
};

/** Every axis has a letter, and a letter has one size in all inputs. */
const checkAxes: Check = ({ inputs }, at) => {
  const sizes = new Map<string, number>();
  for (const [name, { axes, shape }] of inputs) {
    if (axes === null) continue;
    const field = `inputs.${name}.axes`;
    const letters = axes.split(" ").filter((letter) => letter !== "");
    if (letters.length !== shape.length)
      throw wrong(
        at,
        field,
        `has ${letters.length} letters, and the shape ${shape.length} axes`,
        "case.axes",
      ); // [case.axes]
    for (const [axis, letter] of letters.entries()) {
      const size = shape[axis] ?? 0;
      const known = sizes.get(letter) ?? size;
      if (known !== size)
        throw wrong(
          at,
          field,
          `gives ${quoted(letter)} the size ${size}, and elsewhere it is ${known}`,
          "case.axes",
        ); // [case.axes]
      sizes.set(letter, size);
    }
  }
};

/** Ties and recipes are of tensors that there are. */
const checkSources: Check = (manifest, at) => {
  const { ties, weights, recipes, generator } = manifest;
  declared(at, "ties", ties.values(), weights);
  declared(at, "recipes", recipes.keys(), given(manifest));
  if (generator === null && [...recipes.values()].some(({ kind }) => kind !== "file"))
    throw wrong(at, "generator", `is missing, and the recipes need ${quoted(GENERATOR)}`); // [case.unused]
};

/** A case of gradients has them, and a cotangent is for gradients. */
const checkGradients: Check = (manifest, at) => {
  const { grads, inputs, level, raises, trainable, weights, ties } = manifest;
  declared(at, "grads", grads, given(manifest));
  declared(at, "trainable", trainable ?? [], new Set([...weights.keys(), ...ties.keys()]));
  if (raises !== null || grads.length > 0) return;
  const reason =
    (level === "grad" && "the level is grad") ||
    (trainable !== null && "trainable is given") ||
    (inputs.has(COTANGENT) && "there is a cotangent");
  if (reason) throw wrong(at, "grads", `is empty, and ${reason}; list the gradients`); // [case.unused]
};

/** Everything that is expected is compared, and has a tolerance. */
const checkExpectations: Check = (manifest, at) => {
  const { outputs, taps, grads, full, probed, raises, tolerance } = manifest;
  const none = (reason: string, lists: Readonly<Record<string, number>>): void => {
    for (const [field, count] of Object.entries(lists))
      if (count > 0) throw wrong(at, field, `is given, and ${reason}; remove it`); // [case.unused]
  };
  const sizes = { taps: taps.length, grads: grads.length };
  if (raises !== null) {
    const others = { outputs: outputs.length, probed: probed.size, full: Number(full) };
    none("a case that raises expects nothing else", {
      ...others,
      ...sizes,
      tolerance: Number(tolerance !== null),
    });
    return;
  }
  if (outputs.length === 0)
    throw wrong(at, "outputs", "names no tensor to compare; add an output", "case.names");
  if (full) {
    none("a full-size case expects probes only", sizes);
    declared(at, "probed", outputs, probed);
    declared(at, "outputs", probed.keys(), new Set(outputs));
  } else none("only a full-size case has probes", { probed: probed.size });
  const judged = judgedNames(manifest);
  declared(at, "tolerance.noise", judged, tolerance?.noise ?? new Map());
  for (const field of ["noise", "bfloat16", "float16"] as const) {
    const noises = tolerance?.[field];
    if (noises instanceof Map) declared(at, `tolerance.${field}`, noises.keys(), new Set(judged));
  }
};

/** The names of inputs.safetensors. */
const given = ({ inputs, weights }: CaseManifest): Set<string> =>
  new Set([...prefixed("inputs", inputs), ...prefixed("weights", weights)]);

const prefixed = (prefix: string, map: ReadonlyMap<string, unknown>): string[] =>
  [...map.keys()].map((key) => `${prefix}.${key}`);
