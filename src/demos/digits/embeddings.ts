// What the frozen encoder makes of each picture, once: the phase after it never changes that.
import type { Backend } from "../../kernels/backend.ts";
import { reference } from "../../kernels/reference/index.ts";
import { run } from "../../kernels/replay.ts";
import type { ViT } from "../../models/vision/vit.ts";
import { Bug } from "../../tensor/errors.ts";
import { flat, Tensor, view } from "../../tensor/tensor.ts";
import { asImages, type Picture } from "./data.ts";

interface Embedding {
  /** [tokens, dim] */
  readonly shape: readonly number[];
  readonly values: Float64Array;
}
export type Embeddings = Map<Picture, Embedding>;

const AT_ONCE = 128;

export async function embeddings(
  vit: ViT,
  pictures: Iterable<Picture>,
  backend: Backend = reference(),
): Promise<Embeddings> {
  const all = [...new Set(pictures)];
  const found: Embeddings = new Map();
  for (let from = 0; from < all.length; from += AT_ONCE) {
    const some = all.slice(from, from + AT_ONCE);
    const out = await run(backend, () => vit.embed(asImages(some)), { model: vit });
    const shape = out.shape.slice(1);
    const size = shape.reduce((a, b) => a * b, 1);
    const values = Float64Array.from(flat(out.data));
    for (const [i, picture] of some.entries())
      found.set(picture, { shape, values: values.slice(i * size, (i + 1) * size) });
  }
  return found;
}

/** Sequences of pictures as FlamingoPaLM takes their embeddings: b m s d. */
export function sequencesOf(rows: readonly (readonly Picture[])[], seen: Embeddings): Tensor<"b m s d"> {
  const all = rows.flat().map((picture) => {
    const known = seen.get(picture);
    if (!known) throw new Bug("a picture was not embedded");
    return known;
  });
  const [first] = all;
  const size = first?.values.length ?? 0;
  const values = new Float64Array(all.length * size);
  for (const [i, { values: own }] of all.entries()) values.set(own, i * size);
  const shape = [rows.length, rows[0]?.length ?? 0, ...(first?.shape ?? [])];
  return new Tensor(shape, view(values, shape));
}
