// Reads pickles of arrays: those of numpy and JAX as a file of their own, those of PyTorch in an archive (io/torch).
import { type ByteSource, openFile } from "#host";
import { LoadError } from "../../tensor/errors.ts";
import { type FileContent, sourceOf } from "../file-content.ts";
import { otherFormat } from "../other-formats.ts";
import { TensorFile } from "../tensor-file.ts";
import { quoted } from "../wording.ts";
import { buildContainer, containers } from "./containers.ts";
import { entryOf, tiesOf } from "./entries.ts";
import type { Names } from "./machine.ts";
import { buildNumpy, numpy } from "./numpy.ts";
import type { Fail } from "./reader.ts";
import { tensorsBelow, valueAt } from "./tree.ts";
import { unpickle } from "./unpickle.ts";
import type { PickleValue } from "./values.ts";

/** A pickle, and the file that it is in. */
export interface PickleFile {
  readonly name: string;
  readonly source: ByteSource;
  /** The bytes of the pickle, which bound the number of its names. */
  readonly size: number;
}

/** The tensors in the data of a pickle. A tensor's name joins the keys on the way to it: "model_state_dict.proj.weight". */
export class PickledTensors extends TensorFile {
  /** The data: dictionaries as maps, lists and tuples as arrays, and tensors as descriptions. */
  readonly root: PickleValue;
  /** Groups of names that stand for the same values, such as those of tied parameters. */
  readonly ties: readonly (readonly string[])[];
  readonly #file: PickleFile;

  constructor(root: PickleValue, file: PickleFile) {
    const tensors = tensorsBelow(root, file.size, failing(file.name));
    super(file.name, new Map([...tensors].map(([key, value]) => [key, entryOf(file.name, key, value)])));
    this.root = root;
    this.ties = tiesOf(tensors);
    this.#file = file;
  }

  /**
   * The tensors below a path of keys, under names that begin there: `under("model_state_dict")` is a model's state dict in a
   * checkpoint of training. Throws a LoadError if there is no container.
   */
  under(...path: readonly (string | number)[]): PickledTensors {
    const value = valueAt(this.root, path);
    if (value instanceof Map || Array.isArray(value)) return new PickledTensors(value, this.#file);
    const known =
      this.root instanceof Map ? [...this.root.keys()].slice(0, 5).map((key) => quoted(String(key))) : [];
    const remedy = known.length === 0 ? "it holds no dictionary" : `it begins with ${known.join(", ")}`;
    const shown = path.map((key) => quoted(String(key))).join(", ");
    throw new LoadError(`${this.name}: there is no dictionary or list under ${shown}; ${remedy}  [io.keys]`);
  }

  close(): void {
    this.#file.source.close();
  }
}

export const failing =
  (name: string): Fail =>
  (problem, rule) =>
    new LoadError(`${name}: ${problem}  [${rule}]`);

/** The names that a pickle of arrays may use. */
export const PLAIN_NAMES: Names = {
  find: (name) => containers.get(name) ?? numpy.get(name) ?? null,
  persistent: () => null,
  build: (object, state, machine) => buildContainer(object, state) || buildNumpy(object, state, machine),
};

/**
 * Opens bytes or a source of bytes that `pickle.dump` wrote, such as the parameters of haiku; `name` is used in errors. No array is read
 * before it is used, and nothing of the file is run. Throws a LoadError for another format, a damaged file, or a pickle that uses names
 * beyond plain data and arrays.
 */
export function openPickle(bytes: FileContent, name: string): PickledTensors {
  const all = sourceOf(bytes, "openPickle", "loadPickle");
  const fail = failing(name);
  const format = otherFormat(all, [], "pickle");
  if (format !== null) throw fail(`this is ${format}`, "io.other-format");
  const root = unpickle(all, PLAIN_NAMES, fail) as PickleValue;
  return new PickledTensors(root, { name, source: all, size: all.size });
}

/** `openPickle` of a file (.pickle, .pystate, .pkl). */
export const loadPickle = (path: string): PickledTensors => openPickle(openFile(path), path);
