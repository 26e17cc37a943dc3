// The transformer of ViT: Dosovitskiy et al., arXiv 2010.11929, equations (2) and (3), as in vit-pytorch.

import { attention } from "../nn/attention/attention.ts";
import { Dropout } from "../nn/dropout.ts";
import { Linear } from "../nn/linear.ts";
import { LayerNorm } from "../nn/norms/layer-norm.ts";
import { rearrange, unbind } from "../tensor/ops/arrange.ts";
import { add, gelu, mulScalar } from "../tensor/ops/functions.ts";
import { named, shapes } from "../tensor/pattern.ts";
import { tap } from "../tensor/program/apply.ts";
import type { Tensor } from "../tensor/tensor.ts";

export interface VisionTransformerOptions {
  readonly dim: number;
  readonly depth: number;
  readonly heads: number;
  readonly dimHead: number;
  readonly mlpDim: number;
  readonly dropout: number;
}

/** Projection and dropout: a torch Sequential. */
class OutputProjection {
  readonly 0: Linear<"(h k)", "d">;
  readonly 1: Dropout;

  constructor(inner: number, dim: number, dropout: number) {
    this[0] = new Linear("(h k) -> d", inner, dim);
    this[1] = new Dropout(dropout);
  }

  forward(x: Tensor<"b n (h k)">): Tensor<"b n d"> {
    return this[1].forward(this[0].forward(x)); // [vit.dropout]
  }
}

class SelfAttention {
  norm: LayerNorm;
  dropout: Dropout;
  to_qkv: Linear<"d", "(n h k)">;
  /** null if there is one head as wide as the model; then the head's output is the result. */
  to_out: OutputProjection | null;
  readonly options: { readonly heads: number; readonly dimHead: number };

  constructor({ dim, heads, dimHead, dropout }: VisionTransformerOptions) {
    this.options = { heads, dimHead };
    this.norm = new LayerNorm(dim);
    this.dropout = new Dropout(dropout);
    this.to_qkv = new Linear("d -> (n h k)", dim, 3 * heads * dimHead, { bias: false });
    this.to_out = heads === 1 && dimHead === dim ? null : new OutputProjection(heads * dimHead, dim, dropout); // [vit.no-projection]
  }

  forward(x: Tensor<"b n d">): Tensor<"b n d"> {
    const { heads: h, dimHead } = this.options;
    const qkv = this.to_qkv.forward(this.norm.forward(x));
    const [q, k, v] = unbind(rearrange("b l (n h k) -> n b h l k", named("b l (n h k)", qkv), { n: 3, h }));

    const options = { mayAttend: null, emptyRow: "nan", dropout: this.dropout } as const; // [vit.dropout]
    const out = attention(this, mulScalar(q, dimHead ** -0.5), k, v ?? k, options); // [vit.attend]
    const joined = rearrange("b h n k -> b n (h k)", named("b h n k", out));
    return tap(this, "", this.to_out ? this.to_out.forward(joined) : named("b n d", joined));
  }
}

/** norm, linear, GELU, dropout, linear, dropout: a torch Sequential with biases. */
class Mlp {
  readonly 0: LayerNorm;
  readonly 1: Linear<"d", "f">;
  readonly 3: Dropout;
  readonly 4: Linear<"f", "d">;
  readonly 5: Dropout;

  constructor({ dim, mlpDim, dropout }: VisionTransformerOptions) {
    this[0] = new LayerNorm(dim);
    this[1] = new Linear("d -> f", dim, mlpDim);
    this[3] = new Dropout(dropout);
    this[4] = new Linear("f -> d", mlpDim, dim);
    this[5] = new Dropout(dropout);
  }

  forward(x: Tensor<"b n d">): Tensor<"b n d"> {
    const hidden = gelu(this[1].forward(this[0].forward(x))); // [vit.mlp]
    return this[5].forward(this[4].forward(this[3].forward(hidden))); // [vit.dropout]
  }
}

class VisionFeedForward {
  net: Mlp;

  constructor(options: VisionTransformerOptions) {
    this.net = new Mlp(options);
  }

  forward(x: Tensor<"b n d">): Tensor<"b n d"> {
    return tap(this, "", this.net.forward(x));
  }
}

/** Pre-norm layers, followed by a norm. */
export class VisionTransformer {
  norm: LayerNorm;
  layers: [attn: SelfAttention, ff: VisionFeedForward][];

  constructor(options: VisionTransformerOptions) {
    this.norm = new LayerNorm(options.dim);
    this.layers = Array.from({ length: options.depth }, () => [
      new SelfAttention(options),
      new VisionFeedForward(options),
    ]);
  }

  forward(x: Tensor<"b n d">): Tensor<"b n d"> {
    shapes("VisionTransformer", { x: [x, "b n d"] });
    for (const [attn, ff] of this.layers) {
      x = add(attn.forward(x), x); // [vit.layers]
      x = add(ff.forward(x), x);
    }
    return tap(this, "", this.norm.forward(x)); // [vit.norm]
  }
}
