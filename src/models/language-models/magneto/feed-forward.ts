// The feed-forward of torchscale's decoder: torchscale/component/feedforward_network.py.
import { activation } from "../../../nn/activations.ts";
import { Dropout } from "../../../nn/dropout.ts";
import { Linear } from "../../../nn/linear.ts";
import { LayerNorm } from "../../../nn/norms/layer-norm.ts";
import { tap } from "../../../tensor/program/apply.ts";
import type { Tensor } from "../../../tensor/tensor.ts";
import { magnetoLinear } from "./initializers.ts";
import type { MagnetoSettings } from "./options.ts";

/** The settings that the feed-forward reads. */
export type FeedForwardSettings = Pick<
  MagnetoSettings,
  "width" | "innerWidth" | "activation" | "subNorms" | "epsilon" | "dropout" | "activationDropout" | "init"
>;

export class MagnetoFeedForward {
  activation_dropout_module: Dropout;
  dropout_module: Dropout;
  fc1: Linear<"d", "f">;
  fc2: Linear<"f", "d">;
  /** Before the last projection. */
  ffn_layernorm: LayerNorm | null;
  readonly options: FeedForwardSettings;

  constructor(settings: FeedForwardSettings) {
    const { width, innerWidth, subNorms, epsilon, dropout, activationDropout, init } = settings;
    this.options = settings;
    this.activation_dropout_module = new Dropout(activationDropout);
    this.dropout_module = new Dropout(dropout);
    this.fc1 = new Linear("d -> f", width, innerWidth, magnetoLinear("fc1", width, innerWidth, init));
    this.fc2 = new Linear("f -> d", innerWidth, width, magnetoLinear("fc2", innerWidth, width, init));
    this.ffn_layernorm = subNorms ? new LayerNorm(innerWidth, { epsilon }) : null; // [magneto.sub-norms]
  }

  forward(x: Tensor<"b l d">): Tensor<"b l d"> {
    const act = activation(this.options.activation);
    // #region feed-forward
    const activated = act(this.fc1.forward(x)); // [magneto.feed-forward]
    const hidden = this.activation_dropout_module.forward(activated); // [magneto.dropout]
    const normed = this.ffn_layernorm ? this.ffn_layernorm.forward(hidden) : hidden; // [magneto.sub-norms]
    const out = this.dropout_module.forward(this.fc2.forward(normed)); // [magneto.dropout]
    return tap(this, "", out);
    // #endregion
  }
}
