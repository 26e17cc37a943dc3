// Loads the model of a folder, and pictures as its image tower takes them.
import { kindOf } from "#host";
import { readImageFile } from "../../io/images/read.ts";
import { LoadError } from "../../tensor/errors.ts";
import { flat, Tensor, view } from "../../tensor/tensor.ts";
import { progressOn } from "../../terminal/progress.ts";
import { UsageError } from "../usage-error.ts";
import type { ModelKind } from "./forms.ts";
import { kindOfModel, pictureModel } from "./models.ts";
import type { PictureModel } from "./picture-model.ts";
import { type FlamingoRequest, HOW_TO_GET_A_FOLDER } from "./request.ts";

/** Throws a UsageError for options that an OpenFlamingo alone has. */
function checkOptions(
  kind: Exclude<ModelKind, "open-flamingo">,
  { folder, languageModel, dtype, attend, textOnly }: FlamingoRequest,
): void {
  const is = kind === "kosmos" ? "a Kosmos" : "a FlamingoPaLM";
  const option = (name: string, why: string): UsageError =>
    new UsageError(`${folder} is ${is}, ${why}; leave out --${name}`);
  if (languageModel !== undefined) throw option("language-model", "whose decoder is in its folder");
  if (dtype !== undefined) throw option("dtype", "whose weights keep the dtype of their file");
  if (textOnly) throw option("text-only", "whose demonstrations have their pictures");
  if (attend && kind === "kosmos")
    throw option("attend", "which has no cross-attention: pictures are positions of its text");
}

export async function loadedModel(request: FlamingoRequest, signal: AbortSignal): Promise<PictureModel> {
  const { folder, languageModel, dtype } = request;
  if (kindOf(folder) === "nothing")
    throw new LoadError(
      `cannot open ${folder}: it does not exist; name the folder of an OpenFlamingo or a Kosmos (${HOW_TO_GET_A_FOLDER})`,
    );
  const kind = kindOfModel(folder);
  if (kind !== "open-flamingo") checkOptions(kind, request);
  const bar = progressOn(process.stderr);
  try {
    return await pictureModel(kind, folder, {
      languageModel,
      loading: {
        dtype,
        signal,
        progress: ({ read, total }) =>
          bar.step(read.bytes / 2 ** 20, Math.ceil(total.bytes / 2 ** 20), "MiB of weights"),
      },
    });
  } finally {
    bar.clear();
  }
}

/** A picture as the image encoder takes it, c h w. Those that were read last are kept. */
export class Pictures {
  readonly #process: PictureModel["imageProcessor"];
  readonly #read = new Map<string, Tensor<"c h w">>();
  readonly #most: number;

  constructor({ imageProcessor }: Pick<PictureModel, "imageProcessor">, most = 64) {
    this.#process = imageProcessor;
    this.#most = most;
  }

  async read(path: string): Promise<Tensor<"c h w">> {
    const known = this.#read.get(path);
    if (known) return known;
    const picture = this.#process(await readImageFile(path));
    const [first] = this.#read.keys();
    if (first !== undefined && this.#read.size >= this.#most) this.#read.delete(first);
    this.#read.set(path, picture);
    return picture;
  }

  /** Pictures of one text: b and f are 1. */
  async together(paths: readonly string[]): Promise<Tensor<"b m f c h w">> {
    const all: Tensor<"c h w">[] = [];
    for (const path of paths) all.push(await this.read(path));
    const [c = 0, h = 0, w = 0] = all[0]?.shape ?? [];
    const size = c * h * w;
    const values = new Float64Array(all.length * size);
    for (const [i, { data }] of all.entries()) values.set(flat(data), i * size);
    const shape = [1, all.length, 1, c, h, w];
    return new Tensor(shape, view(values, shape));
  }
}
