// FlamingoLayer of open-flamingo 2.0.1 (open_flamingo/src/flamingo_lm.py): gated cross-attention before a layer of any language model.
import type { GatedCrossAttentionBlock } from "../../blocks/gated-cross-attention-block.ts";
import { RuleError } from "../../tensor/errors.ts";
import { tap } from "../../tensor/program/apply.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { Decoded, DecoderLayer, Decoding, KeyValues } from "../language-model.ts";

const unconditioned = (): RuleError =>
  new RuleError(
    "a layer with cross-attention was given no images: read the text with forward or withMedia of the OpenFlamingo, or with a language model of your own without gated layers",
    "openflamingo.unconditioned",
  );

export class FlamingoLayer implements DecoderLayer {
  gated_cross_attn_layer: GatedCrossAttentionBlock | null;
  decoder_layer: DecoderLayer;

  constructor(gated: GatedCrossAttentionBlock | null, decoder: DecoderLayer) {
    this.gated_cross_attn_layer = gated;
    this.decoder_layer = decoder;
  }

  forward(x: Tensor<"b l d">, at: Decoding, past: KeyValues | null): Decoded {
    // #region layer
    const { gated_cross_attn_layer: gated, decoder_layer: decoder } = this;
    const { media, visibility } = at;
    if (gated && !media) throw unconditioned();
    const read = gated && media ? gated.forward(x, media, { visibility }) : x; // [openflamingo.layer]
    const { x: y, now } = decoder.forward(read, at, past);
    return { x: tap(this, "", y), now };
    // #endregion
  }
}
