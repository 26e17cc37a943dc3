// What a language model keeps of a text that it has read.
import { decodingOf, type LanguageModel, noPadding, readTokens } from "../../../src/models/language-model.ts";
import { Int, type Tensor } from "../../../src/tensor/tensor.ts";
import type { Mat } from "../oracles/layers.ts";
import { list } from "../oracles/modules.ts";

/** Keys and values that the first layer of a model caches for one text: heads × tokens × width. */
export function firstCache(
  model: LanguageModel,
  ids: readonly number[],
): { readonly k: Mat[]; readonly v: Mat[] } {
  const at = { ...decodingOf(noPadding(1, ids.length), ids.length), media: null, visibility: null };
  const [first] = readTokens(model, new Int([1, ids.length], Int32Array.from(ids)), at, null).layers;
  const heads = (x: Tensor | undefined) => (x ? (list<Mat[]>(x)[0] ?? []) : []);
  return { k: heads(first?.k), v: heads(first?.v) };
}
