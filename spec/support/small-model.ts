// A model with everything that real ones use, and small: for what holds of any model.
import { attention } from "../../src/nn/attention.ts";
import { LayerNorm } from "../../src/nn/layer-norm.ts";
import { Linear } from "../../src/nn/linear.ts";
import { add, expand, gather, gelu, mul } from "../../src/tensor/functions.ts";
import { named } from "../../src/tensor/pattern.ts";
import { tap } from "../../src/tensor/record.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { randomIds, randomMask, randomTensor } from "./arbitraries.ts";

/** Two layers of attention over one row of tokens, with everything that models use: taps, scopes, masks, ids, ties. */
export class Small {
  emb: Tensor<"v d"> = randomTensor([7, 4], 1);
  blocks = [new Block(2), new Block(3)];
  head = new Linear("d -> v", 4, 7, { bias: false, tiedTo: named("o i", this.emb) });
  forward(ids = randomIds([2, 5], 7)): Tensor {
    const x = this.blocks.reduce((x, block) => block.forward(x), gather(this.emb, ids) as Tensor<"b l d">);
    return this.head.forward(x as Tensor<"b l d">);
  }
}
export class Block {
  norm = new LayerNorm(4);
  to_q: Linear<"d", "k">;
  gain: Tensor<"d">;
  constructor(seed: number) {
    this.to_q = new Linear("d -> k", 4, 4);
    this.gain = randomTensor([4], seed);
  }
  forward(x: Tensor<"b l d">): Tensor<"b l d"> {
    const h = named("b l k", this.to_q.forward(this.norm.forward(x)));
    const mayAttend = randomMask([2, 5, 5], 4);
    const seen = attention(this, h, h, h, { mayAttend, emptyRow: "zero" });
    return tap(this, "", add(x, mul(named("b l d", gelu(seen)), expand(this.gain, x))));
  }
}
