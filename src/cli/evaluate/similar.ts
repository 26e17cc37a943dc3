// Demonstrations by the similarity of images (RICES): features of all images, each computed once.
import { type Feature, imageFeatures, mostSimilar } from "../../evaluation/retrieval.ts";
import type { Example } from "../../evaluation/runs/examples.ts";
import type { Backend } from "../../kernels/backend.ts";
import { LoadError, messageOf, RuleError } from "../../tensor/errors.ts";
import { rearrange } from "../../tensor/ops/arrange.ts";
import { named } from "../../tensor/pattern.ts";
import type { LeftOut } from "../data/reading.ts";
import type { EvaluatedTower } from "./models.ts";

export class SimilarShots {
  readonly #tower: EvaluatedTower;
  readonly #backend: Backend;
  readonly #features = new Map<string, Feature>();
  /** Demonstrations with their features; those without a usable image are none. */
  #pool: readonly { readonly at: number; readonly image: string; readonly feature: Feature }[] = [];

  constructor(tower: EvaluatedTower, backend: Backend) {
    this.#tower = tower;
    this.#backend = backend;
  }

  async #featureOf(path: string): Promise<Feature> {
    const known = this.#features.get(path);
    if (known) return known;
    const image = await this.#tower.pictures.read(path);
    const batch = [named("b c h w", rearrange("c h w -> 1 c h w", image))];
    const [feature = new Float64Array()] = await imageFeatures(this.#tower.tower, batch, {
      backend: this.#backend,
    });
    this.#features.set(path, feature);
    return feature;
  }

  /** Reads the images of all demonstrations. Those that cannot be read are named and counted. */
  async read(
    pool: readonly Example[],
    {
      file,
      leftOut,
      step,
    }: { readonly file: string; readonly leftOut: LeftOut; readonly step: (at: number) => void },
  ): Promise<void> {
    const found: { at: number; image: string; feature: Feature }[] = [];
    for (const [at, { image, line }] of pool.entries()) {
      step(at);
      try {
        if (image === null) throw new LoadError("it has no image, by which --rices compares");
        found.push({ at, image, feature: await this.#featureOf(image) });
      } catch (error) {
        if (!(error instanceof LoadError || error instanceof RuleError)) throw error;
        leftOut.add(file, { line, problem: `${file}, line ${line}: no demonstration: ${messageOf(error)}` });
      }
    }
    this.#pool = found;
  }

  /**
   * The indices of the most similar demonstrations, the most similar one last; where they are the examples themselves (`own`), of other pictures. Throws a LoadError if there are too few.
   */
  async shots(example: Example, shots: number, own: number | null): Promise<number[]> {
    if (example.image === null) throw new LoadError("it has no image, by which --rices compares");
    const feature = await this.#featureOf(example.image);
    const others = this.#pool.filter(
      ({ at, image }) => own === null || (at !== own && image !== example.image),
    ); // [shots.same-picture]
    if (others.length < shots)
      throw new LoadError(
        `${shots} demonstrations are asked for, and ${others.length} have a usable image${own === null ? "" : ", another than the example's"}`,
      );
    const similar = mostSimilar(
      feature,
      others.map((one) => one.feature),
      shots,
    ); // [shots.similar]
    return similar.flatMap((i) => others[i]?.at ?? []);
  }
}
