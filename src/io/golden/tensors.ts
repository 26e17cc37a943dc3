// The tensors of a golden case, read from its files or generated from recipes, and compared with case.json.
import { LoadError } from "../../tensor/errors.ts";
import { round } from "../../tensor/precision.ts";
import { Int, type Shape, sizeOf, Tensor } from "../../tensor/tensor.ts";
import { type Dtype, isFloat, isInt, isWrittenInt, type StoredDtype } from "../dtypes.ts";
import { type FieldLocation, refuse } from "../fields.ts";
import type { SafetensorsFile, Stored } from "../safetensors/read.ts";
import { listed, quoted } from "../wording.ts";
import { type CaseManifest, expectedNames } from "./manifest.ts";
import { make, type Recipe } from "./recipe.ts";

/** The declaration of a tensor in case.json; null for properties that it does not fix. */
interface Declared {
  /** "floats": of any width. "result": F64, integers or booleans. */
  readonly dtype: Dtype | "floats" | "result";
  readonly shape: Shape | null;
}

const isResult = (dtype: StoredDtype): boolean => dtype === "F64" || isWrittenInt(dtype) || dtype === "BOOL";

/**
 * The elements that the recipes of a case may make, because no file holds them. Floats are made when they are used; a full-size case,
 * which has up to 303 million parameters, needs more of them. Integers and booleans are made at once.
 */
const MOST_MADE = { small: 2 ** 24, full: 2 ** 29, atOnce: 2 ** 22 };

/** Inputs and weights, under their names in the file. */
export function givenTensors(
  manifest: CaseManifest,
  file: SafetensorsFile,
  fullSize: boolean,
  recipes: FieldLocation,
): Map<string, Stored> {
  const declared = new Map<string, Declared>();
  for (const [name, input] of manifest.inputs) declared.set(`inputs.${name}`, input);
  for (const [key, shape] of manifest.weights) declared.set(`weights.${key}`, { dtype: "floats", shape });
  onlyDeclared(file, declared);
  checkBudget(file, declared, fullSize, recipes);
  const one = ([name, wanted]: [string, Declared]): [string, Stored] => [
    name,
    file.has(name) ? checked(file, name, wanted) : made(manifest, file, name, wanted, recipes),
  ];
  return new Map([...declared].map(one));
}

function checkBudget(
  file: SafetensorsFile,
  declared: ReadonlyMap<string, Declared>,
  fullSize: boolean,
  recipes: FieldLocation,
): void {
  const absent = [...declared].filter(([name]) => !file.has(name));
  const isAtOnce = ([, { dtype }]: (typeof absent)[0]): boolean =>
    dtype !== "floats" && dtype !== "result" && !isFloat(dtype);
  const sum = (of: typeof absent): number => of.reduce((n, [, { shape }]) => n + sizeOf(shape ?? []), 0);
  const within = (what: string, needed: number, most: number): void => {
    if (needed <= most) return;
    throw refuse(recipes, `make ${needed} ${what}; ${most} at most${fullSize ? "" : FULL_SIZE}`, "case.made"); // [case.made]
  };
  within("elements", sum(absent), fullSize ? MOST_MADE.full : MOST_MADE.small);
  within("integers and booleans", sum(absent.filter(isAtOnce)), MOST_MADE.atOnce);
}

const FULL_SIZE = ", unless this is a full-size case and --full is given";

const PRECISION = { F64: "float64", F32: "float32", BF16: "bfloat16", F16: "float16" } as const;

/**
 * The stored tensors that are not what the manifest says, as "inputs.x": their recipe makes others, or they have numbers that are not
 * of the declared dtype. All values are read.
 */
export function strayTensors(
  { inputs, recipes, seed }: CaseManifest,
  file: SafetensorsFile,
  tensors: ReadonlyMap<string, Stored>,
  at: FieldLocation,
): string[] {
  const isMade = (name: string, stored: Stored): boolean => {
    const recipe = recipes.get(name);
    if (recipe === undefined || recipe.kind === "file") return true;
    const field = { ...at, field: `${at.field}.${name}` };
    requireKind(recipe, kindOfTensor(stored), field);
    const [actual, expected] = [stored, make(recipe, seed, name, stored.shape, field)].map(elementsOf);
    return Array.from(actual ?? []).every((x, i) => x === expected?.[i]); // [case.recipe]
  };
  const isOfDtype = (name: string, stored: Stored): boolean => {
    const dtype = inputs.get(name.slice("inputs.".length))?.dtype;
    if (!name.startsWith("inputs.") || dtype === undefined || !isFloat(dtype)) return true;
    const rounded = round[PRECISION[dtype]];
    return Array.from(elementsOf(stored)).every((x) => Object.is(rounded(x), x)); // [case.declared]
  };
  return [...tensors].flatMap(([name, stored]) =>
    !file.has(name) || (isMade(name, stored) && isOfDtype(name, stored)) ? [] : [name],
  );
}

const elementsOf = (t: Stored): ArrayLike<number> => (t instanceof Tensor ? t.flat() : t.flat());

const kindOfTensor = (t: Stored): Kind =>
  t instanceof Tensor ? "floats" : t instanceof Int ? "integers" : "booleans";

type Kind = Exclude<Recipe["kind"], "file">;

function requireKind(recipe: Recipe, kind: Kind, at: FieldLocation): void {
  if (recipe.kind !== kind) throw refuse(at, `makes ${recipe.kind}, and the tensor is of ${kind}`);
}

function onlyDeclared(file: SafetensorsFile, declared: ReadonlyMap<string, unknown>): void {
  const odd = file.keys.find((key) => !declared.has(key));
  if (odd === undefined) return;
  throw new LoadError(
    `${file.name}: there is ${quoted(odd)}, which case.json does not name  [case.declared]`,
  );
}

/** The tensor, if it matches case.json. Inputs and weights may be floats of another width, which represents the same values. */
function checked(file: SafetensorsFile, name: string, { dtype, shape }: Declared): Stored {
  const found = file.info(name);
  const anyFloats =
    dtype === "floats" || (dtype !== "result" && isFloat(dtype) && name.startsWith("inputs."));
  const exact = dtype === "result" ? isResult(found.dtype) : dtype === found.dtype;
  const isCount = dtype === "floats" && found.dtype === "I64" && found.shape.length === 0; // num_batches_tracked
  const sameDtype = anyFloats ? isFloat(found.dtype) || isCount : exact;
  const sameShape = shape === null || shape.join() === found.shape.join();
  if (sameDtype && sameShape) return file.get(name); // [case.declared]
  const wanted = `${dtype === "result" ? "F64, integers or booleans" : dtype}${shape === null ? "" : ` ${listed(shape)}`}`;
  const problem = `is ${found.dtype} ${listed(found.shape)}, and ${wanted} by case.json`;
  throw new LoadError(
    `${file.name}: tensor ${quoted(name)} ${problem}; make the case again  [case.declared]`,
  );
}

/** A tensor that the file does not have, generated from its recipe. */
function made(
  manifest: CaseManifest,
  file: SafetensorsFile,
  name: string,
  { dtype, shape }: Declared,
  recipes: FieldLocation,
): Stored {
  const at = { ...recipes, field: `${recipes.field}.${name}` };
  const recipe = manifest.recipes.get(name);
  if (recipe === undefined || recipe.kind === "file" || manifest.generator === null) {
    throw new LoadError(`${file.name}: ${quoted(name)} is missing, and no recipe makes it  [case.made]`);
  }
  const isCount = dtype === "floats" && shape?.length === 0 && recipe.kind === "integers"; // num_batches_tracked
  const kind = isCount
    ? "integers"
    : dtype === "floats" || dtype === "result" || isFloat(dtype)
      ? "floats"
      : isInt(dtype)
        ? "integers"
        : "booleans";
  requireKind(recipe, kind, at);
  return make(recipe, manifest.seed, name, shape ?? [], at);
}

export function expectedTensors(manifest: CaseManifest, file: SafetensorsFile): Map<string, Stored> {
  const declared = new Map(expectedNames(manifest).map((name) => [name, declaredAnswer(manifest, name)]));
  onlyDeclared(file, declared);
  const tensors = new Map([...declared].map(([name, wanted]) => [name, checked(file, name, wanted)]));
  if (manifest.full) for (const name of manifest.outputs) checkProbes(manifest, file.name, name, tensors);
  return tensors;
}

/** Outputs are F64, integers or booleans; everything else is F64, but for the positions of probes. A gradient has the shape of its input. */
function declaredAnswer({ inputs, weights, full }: CaseManifest, name: string): Declared {
  const [kind, of, ...rest] = name.split(".");
  const last = rest.at(-1);
  if (full)
    return { dtype: last === "index" ? "I64" : "F64", shape: last === "sum" || last === "norm" ? [] : null };
  const key = rest.join(".");
  const shape = of === "inputs" ? inputs.get(key)?.shape : weights.get(key);
  return { dtype: kind === "outputs" ? "result" : "F64", shape: (kind === "grads" && shape) || null };
}

const PROBES = 256;

/** Probes are at 256 valid positions of the output, with one value each. */
function checkProbes(
  { probed }: CaseManifest,
  file: string,
  output: string,
  tensors: Map<string, Stored>,
): void {
  const index = tensors.get(`probes.${output}.index`);
  const value = tensors.get(`probes.${output}.value`);
  const size = sizeOf(probed.get(output) ?? []);
  const inside =
    index instanceof Int &&
    index.shape.join() === `${PROBES}` &&
    index.flat().every((i) => 0 <= i && i < size);
  if (inside && value?.shape.join() === index.shape.join()) return; // [case.probes]
  throw new LoadError(
    `${file}: the probes of ${quoted(output)} are not ${PROBES} of its ${size} elements  [case.probes]`,
  );
}
