// A model that continues texts with pictures, as `flamboyance caption`, `vqa` and `evaluate` take it.
import type { FeatureTower } from "../../evaluation/retrieval.ts";
import type { Image } from "../../io/images/image.ts";
import type { Tokenizer } from "../../io/tokenizers/tokenizer.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { TextModel } from "../../writing/write-text.ts";

/** A model that continues texts with pictures. */
export interface PictureModel {
  readonly tokenizer: Tokenizer;
  /** From a photograph to what the image tower takes. */
  readonly imageProcessor: (image: Image) => Tensor<"c h w">;
  /** The tower, as pictures are compared by it. */
  readonly tower: FeatureTower;
  /** The ids of a text in which `<image>` stands for each picture. */
  readonly idsOf: (text: string) => readonly number[];
  /** The model with the pictures of one text. */
  readonly withPictures: (pictures: Tensor<"b m f c h w">) => TextModel;
  /** Tokens that end an answer, and tokens that no answer has. */
  readonly stop: readonly number[];
  readonly never: readonly number[];
  /** Names of the weights of attention to pictures; null: pictures are read by self-attention. */
  readonly crossAttentionWeights: readonly string[] | null;
  readonly close: () => void;
}
