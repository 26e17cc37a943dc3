// Embeddings of the pictures, computed once: the phases after the first keep the image encoder frozen.
import type { Backend } from "../../kernels/backend.ts";
import { reference } from "../../kernels/reference/index.ts";
import { run } from "../../kernels/replay.ts";
import type { ViT } from "../../models/vision/vit.ts";
import { Bug } from "../../tensor/errors.ts";
import { Tensor, view } from "../../tensor/tensor.ts";
import { asImages, type Picture } from "./data.ts";

interface Embedding {
  /** [tokens, dim] */
  readonly shape: readonly number[];
  readonly values: Float64Array;
}
export type Embeddings = Map<Picture, Embedding>;

const BATCH = 128;

/** An image encoder as a function of pictures. */
export interface PictureEncoder {
  readonly model: object;
  readonly encode: (pictures: readonly Picture[]) => Tensor;
}

export const encoderOf = (vit: ViT): PictureEncoder => ({
  model: vit,
  encode: (pictures) => vit.embed(asImages(pictures)),
});

export async function embeddings(
  { model, encode }: PictureEncoder,
  pictures: Iterable<Picture>,
  backend: Backend = reference(),
): Promise<Embeddings> {
  const all = [...new Set(pictures)];
  const known: Embeddings = new Map();
  for (let from = 0; from < all.length; from += BATCH) {
    const batch = all.slice(from, from + BATCH);
    const out = await run(backend, () => encode(batch), { model });
    const shape = out.shape.slice(1);
    const size = shape.reduce((a, b) => a * b, 1);
    const values = Float64Array.from(out.flat());
    for (const [i, picture] of batch.entries())
      known.set(picture, { shape, values: values.slice(i * size, (i + 1) * size) });
  }
  return known;
}

/** Embeddings of sequences of equally many pictures, as Flamingos take them: b m s d. */
export function sequencesOf(rows: readonly (readonly Picture[])[], known: Embeddings): Tensor<"b m s d"> {
  const all = rows.flat().map((picture) => {
    const embedding = known.get(picture);
    if (!embedding) throw new Bug("a picture was not embedded");
    return embedding;
  });
  const [first] = all;
  const size = first?.values.length ?? 0;
  const values = new Float64Array(all.length * size);
  for (const [i, embedding] of all.entries()) values.set(embedding.values, i * size);
  const shape = [rows.length, rows[0]?.length ?? 0, ...(first?.shape ?? [])];
  return new Tensor(shape, view(values, shape));
}
