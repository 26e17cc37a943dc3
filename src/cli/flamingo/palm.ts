// FlamingoPaLM as a model that continues texts with pictures: that of a folder, and the digits' model.
import { IMAGE, PAD, STOP } from "../../demos/digits/captions.ts";
import { asImages } from "../../demos/digits/data.ts";
import { captionTokenizer, wordIds } from "../../demos/digits/evaluation/words.ts";
import type { DigitsModel } from "../../demos/digits/model.ts";
import { greyOf, scan } from "../../demos/digits/scan.ts";
import { towerOf } from "../../evaluation/retrieval.ts";
import type { Tokenizer } from "../../io/tokenizers/tokenizer.ts";
import type { FlamingoPaLM } from "../../models/flamingo/flamingo-palm.ts";
import type { ImageEncoder } from "../../models/flamingo/media.ts";
import { FLAMINGO_TOKENS } from "../../models/open-flamingo/tokens.ts";
import type { LoadedFlamingoPaLM } from "../../pretrained/flamingo-palm/folder.ts";
import { rearrange } from "../../tensor/ops/arrange.ts";
import { named } from "../../tensor/pattern.ts";
import type { PictureModel } from "./picture-model.ts";

/** The longest text: the model's positions are relative, so that it has no limit of its own. */
const LONGEST = 2048;

/** What a FlamingoPaLM of any origin has in common. */
const partsOf = (
  model: FlamingoPaLM,
  tokenizer: Tokenizer,
  encoder: ImageEncoder,
): Pick<PictureModel, "tokenizer" | "tower" | "withPictures" | "crossAttentionWeights"> => ({
  tokenizer,
  tower: towerOf(encoder),
  withPictures(pictures) {
    const images = named("b m c h w", rearrange("b m 1 c h w -> b m c h w", named("b m 1 c h w", pictures)));
    const writer = images.shape[1] === 0 ? model.withMedia({}) : model.withMedia({ images });
    return { model: { writer, config: {}, generationConfig: null, plan: { longest: LONGEST } }, tokenizer };
  },
  crossAttentionWeights: model.crossAttentionWeights,
});

/** The FlamingoPaLM of a folder. Special tokens but the end are never generated. */
export function ofFlamingoPaLM(loaded: LoadedFlamingoPaLM): PictureModel {
  const { model, tokenizer, imageProcessor, encoder, close } = loaded;
  const { image, imageEnd } = { image: FLAMINGO_TOKENS.image, imageEnd: "</image>" };
  const { bos, eos, pad } = tokenizer;
  const encode = (text: string): number[] => (text === "" ? [] : tokenizer.encode(text, { special: false }));
  const unwritten = [pad, tokenizer.tokenToId(image), tokenizer.tokenToId(imageEnd)];
  return {
    ...partsOf(model, tokenizer, encoder),
    imageProcessor,
    idsOf: (text) => [
      ...(bos === null ? [] : [bos]),
      ...text
        .split(image)
        .flatMap((part, i) => [...(i > 0 ? [model.options.mediaTokenId] : []), ...encode(part)]),
    ],
    stop: eos === null ? [] : [eos],
    never: unwritten.filter((id) => id !== null),
    close,
  };
}

/** The digits' model. Pictures become 8×8 pixels of ink, as `flamboyance digits caption` makes them. */
export async function ofDigits({ flamingo, vit }: DigitsModel): Promise<PictureModel> {
  const tokenizer = await captionTokenizer();
  return {
    ...partsOf(flamingo, tokenizer, { forward: (images) => vit.embed(images) }),
    imageProcessor({ width, height, channels, data: samples }) {
      const layout = channels === 1 ? "grey" : "rgb";
      const picture = scan(greyOf({ width, height, layout, most: 255, samples }));
      return named("c h w", rearrange("1 c h w -> c h w", named("1 c h w", asImages([picture]))));
    },
    idsOf: wordIds,
    stop: [STOP],
    never: [PAD, IMAGE],
    close: () => {},
  };
}
