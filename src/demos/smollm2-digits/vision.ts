// A small image tower of CLIP, trained as a classifier of digits with a head that is thrown away, and its folder in the form of transformers.
import { createFolder, writeFile } from "#host";
import type { Image } from "../../io/images/image.ts";
import { encodePng } from "../../io/images/png/write.ts";
import {
  clipPreprocessing,
  type ImagePreprocessing,
  preprocessImage,
} from "../../io/images/preprocessing.ts";
import type { Normalization } from "../../io/images/transforms.ts";
import { saveSafetensors } from "../../io/safetensors/write.ts";
import type { Backend } from "../../kernels/backend.ts";
import { run } from "../../kernels/replay.ts";
import { CLIPVisionModel } from "../../models/vision/clip/transformers.ts";
import { crossEntropy } from "../../nn/cross-entropy.ts";
import { Linear } from "../../nn/linear.ts";
import { initialize, stateDict } from "../../nn/state-dict.ts";
import type { VisionTower } from "../../pretrained/open-flamingo/factory.ts";
import { named } from "../../tensor/pattern.ts";
import { Int, Tensor, view } from "../../tensor/tensor.ts";
import { NUMBERS } from "../digits/captions.ts";
import { type Picture, SIDE } from "../digits/data.ts";
import { shareCorrect } from "../digits/evidence.ts";

const WIDTH = 64;
const SIZES = {
  hiddenSize: WIDTH,
  intermediateSize: 2 * WIDTH,
  numHiddenLayers: 2,
  numAttentionHeads: 4,
  numChannels: 3,
  imageSize: SIDE,
  patchSize: 4,
} as const;

/** Values from −1 (black) to 1 (white). */
const NORMALIZATION: Normalization = { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] };
const WHITE = 255;

/** The tower, and the head of its classifier. */
export interface DigitClassifier {
  readonly tower: CLIPVisionModel;
  readonly head: Linear<"o", "n">;
}

export function digitClassifier(seed: number): DigitClassifier {
  const classifier = {
    tower: new CLIPVisionModel(SIZES),
    head: new Linear<"o", "n">("o -> n", WIDTH, NUMBERS.length),
  };
  initialize(classifier, seed);
  return classifier;
}

/** A picture as a file holds it: dark ink on white. */
export function pictureImage({ pixels }: Picture): Image {
  const data = new Uint8Array(3 * SIDE * SIDE);
  for (const [i, ink] of pixels.entries()) data.fill(Math.round(WHITE * (1 - ink)), 3 * i, 3 * i + 3); // [smollm2Digits.pictures]
  return { width: SIDE, height: SIDE, channels: 3, data };
}

/** Held-out pictures that are written as files. */
const PICTURES = 10;

/** Writes the first of several pictures as PNG files, whose names have their digits. */
export async function savePictures(folder: string, pictures: readonly Picture[]): Promise<void> {
  createFolder(folder);
  for (const [i, picture] of pictures.slice(0, PICTURES).entries())
    writeFile(`${folder}/${i}-${NUMBERS[picture.digit]}.png`, await encodePng(pictureImage(picture)));
}

/** The steps from a photograph to what the tower takes: the middle of the image, 8×8 pixels. */
export const PREPROCESSING: ImagePreprocessing = { ...clipPreprocessing(SIDE), normalization: NORMALIZATION };

/** From a photograph to what the tower takes. */
const imageProcessor = (image: Image): Tensor<"c h w"> => preprocessImage(image, PREPROCESSING).pixels;

/** The tower as `createFlamingo` takes it. */
export const visionTower = ({ tower }: DigitClassifier): VisionTower => ({
  encoder: tower,
  width: WIDTH,
  imageProcessor,
});

const PIXELS = 3 * SIDE * SIDE;

/** Pictures as a batch of the tower, through the same processing as a file. */
export function pictureTensors(pictures: readonly Picture[]): Tensor<"b c h w"> {
  const values = new Float64Array(pictures.length * PIXELS);
  for (const [i, picture] of pictures.entries())
    values.set(imageProcessor(pictureImage(picture)).flat(), i * PIXELS); // [smollm2Digits.pictures]
  const shape = [pictures.length, 3, SIDE, SIDE];
  return new Tensor(shape, view(values, shape));
}

/** Sequences of equally many pictures as OpenFlamingo takes them. */
export function sequenceTensors(rows: readonly (readonly Picture[])[]): Tensor<"b m f c h w"> {
  const shape = [rows.length, rows[0]?.length ?? 0, 1, 3, SIDE, SIDE];
  return new Tensor(shape, view(pictureTensors(rows.flat()).flat(), shape));
}

const classes = ({ tower, head }: DigitClassifier, pictures: readonly Picture[]): Tensor<"b n"> =>
  named("b n", head.forward(tower.features(pictureTensors(pictures))));

export function classifierLoss(classifier: DigitClassifier, pictures: readonly Picture[]): Tensor<""> {
  const labels = Int32Array.from(pictures, ({ digit }) => digit);
  return crossEntropy(classes(classifier, pictures), new Int<"b">([pictures.length], labels)).mean;
}

/** The share of pictures that the classifier names correctly, which captions cannot be expected to exceed. */
export async function classifierAccuracy(
  classifier: DigitClassifier,
  pictures: readonly Picture[],
  backend: Backend,
): Promise<number> {
  const scores = await run(backend, () => classes(classifier, pictures), { model: classifier });
  return shareCorrect(scores, pictures);
}

const sides = { height: SIDE, width: SIDE } as const;
/** preprocessor_config.json of the tower. */
const PROCESSING = {
  image_processor_type: "CLIPImageProcessor",
  do_resize: true,
  size: { shortest_edge: SIDE },
  resample: 3, // bicubic
  do_center_crop: true,
  crop_size: sides,
  do_rescale: true,
  rescale_factor: 1 / WHITE,
  do_normalize: true,
  image_mean: NORMALIZATION.mean,
  image_std: NORMALIZATION.std,
  do_convert_rgb: true,
} as const;

/** config.json of the tower. */
const CONFIGURATION = {
  architectures: ["CLIPVisionModel"],
  model_type: "clip_vision_model",
  hidden_size: SIZES.hiddenSize,
  intermediate_size: SIZES.intermediateSize,
  num_hidden_layers: SIZES.numHiddenLayers,
  num_attention_heads: SIZES.numAttentionHeads,
  num_channels: SIZES.numChannels,
  image_size: SIZES.imageSize,
  patch_size: SIZES.patchSize,
  hidden_act: "quick_gelu",
  layer_norm_eps: 1e-5,
  torch_dtype: "float32",
} as const;

/** Writes the tower as transformers' `CLIPVisionModel.save_pretrained` does, with its image processor. [smollm2Digits.folder] */
export function saveTower(folder: string, { tower }: DigitClassifier): void {
  createFolder(folder);
  const json = (name: string, value: object): void =>
    writeFile(`${folder}/${name}`, new TextEncoder().encode(`${JSON.stringify(value, null, 2)}\n`));
  json("config.json", CONFIGURATION);
  json("preprocessor_config.json", PROCESSING);
  saveSafetensors(`${folder}/model.safetensors`, stateDict(tower), {
    floats: "F32",
    metadata: new Map([["format", "pt"]]),
  });
}
