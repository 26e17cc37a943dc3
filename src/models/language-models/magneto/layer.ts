// A layer of torchscale's decoder: torchscale/architecture/decoder.py, DecoderLayer.
import { Dropout, DropPath } from "../../../nn/dropout.ts";
import { LayerNorm } from "../../../nn/norms/layer-norm.ts";
import type { RelativePositionBias } from "../../../nn/positions/relative-bias.ts";
import { add, mulScalar } from "../../../tensor/ops/functions.ts";
import { tap } from "../../../tensor/program/apply.ts";
import type { Tensor } from "../../../tensor/tensor.ts";
import type { Decoded, DecoderLayer, Decoding, KeyValues } from "../../language-model.ts";
import { MagnetoAttention } from "./attention.ts";
import { MagnetoFeedForward } from "./feed-forward.ts";
import type { MagnetoSettings } from "./options.ts";

export class MagnetoLayer implements DecoderLayer {
  dropout_module: Dropout;
  drop_path: DropPath;
  self_attn: MagnetoAttention;
  self_attn_layer_norm: LayerNorm;
  ffn: MagnetoFeedForward;
  final_layer_norm: LayerNorm;
  readonly options: MagnetoSettings;

  constructor(settings: MagnetoSettings, depth: number, relative: RelativePositionBias | null) {
    const { width, epsilon, dropout, dropPathRate, layers } = settings;
    this.options = settings;
    this.dropout_module = new Dropout(dropout);
    this.drop_path = new DropPath(layers > 1 ? (dropPathRate * depth) / (layers - 1) : 0); // [magneto.drop-path]
    this.self_attn = new MagnetoAttention(settings, relative);
    this.self_attn_layer_norm = new LayerNorm(width, { epsilon });
    this.ffn = new MagnetoFeedForward(settings);
    this.final_layer_norm = new LayerNorm(width, { epsilon });
  }

  forward(x: Tensor<"b l d">, at: Decoding, past: KeyValues | null): Decoded {
    const { normBefore } = this.options;
    // #region layer
    const { self_attn_layer_norm: first, final_layer_norm: second } = this;
    const { x: attended, now } = this.self_attn.forward(normBefore ? first.forward(x) : x, at, past);
    const sum = this.#residual(x, this.dropout_module.forward(attended)); // [magneto.dropout]
    const y = normBefore ? sum : first.forward(sum); // [magneto.norms]
    const total = this.#residual(y, this.ffn.forward(normBefore ? second.forward(y) : y));
    return { x: tap(this, "", normBefore ? total : second.forward(total)), now };
    // #endregion
  }

  /** α x + y, and with some probability α x alone. */
  #residual(x: Tensor<"b l d">, y: Tensor<"b l d">): Tensor<"b l d"> {
    const { alpha } = this.options;
    const kept = this.drop_path.forward(y); // [magneto.drop-path]
    return add(alpha === 1 ? x : mulScalar(x, alpha), kept); // [magneto.deep-norm]
  }
}
