// PaLM's layer: mutants 39, 40.
import { rotate } from "../../../nn/positions/palm-rotary.ts";
import { mul, sigmoid } from "../../../tensor/ops/functions.ts";
import { apply } from "../../../tensor/ops/rules.ts";
import { named } from "../../../tensor/pattern.ts";
import type { Tensor } from "../../../tensor/tensor.ts";
import { type Change, type Context, changing, type Mutant } from "../mutant.ts";
import { nodesOf, userOf } from "../pattern-matchers.ts";

/** SwiGLU is value · gate · sigmoid(gate): every product of a value with a SiLU. */
const gatedProducts = ({ program }: Context): Change[] =>
  nodesOf(program, "sigmoid").flatMap(({ id, node }): Change[] => {
    const [gate = -1] = node.inputs;
    const silu = userOf(program, "mul", id);
    const product = silu && userOf(program, "mul", silu.id);
    const value = product?.node.inputs.find((input) => input !== silu?.id);
    if (!product || value === undefined || !silu?.node.inputs.includes(gate)) return [];
    return [[product.id, (_, __, at) => mul(mul(at(value), sigmoid(at(value))), at(gate))]];
  });

/** Features that are neighbours, (2i, 2i + 1), as halves, (i, i + d/2), and back. */
function regrouped(x: Tensor, pattern: string): Tensor {
  const lead = x.shape.slice(0, -1).map((_, i) => `~${i}`);
  const sizes = Object.fromEntries(lead.map((name, i) => [name, x.shape[i] ?? 1]));
  const [from, to] = pattern.split(" -> ");
  const whole = [lead.join(" "), from, "->", lead.join(" "), to].filter(Boolean).join(" ");
  return apply("rearrange", { pattern: whole, sizes: { ...sizes, j: 2, d: (x.shape.at(-1) ?? 0) / 2 } }, x);
}

/** Every sum x cos mθ + rotateHalf(x) sin mθ. */
const inNeighbours = ({ program }: Context): Change[] =>
  nodesOf(program, "cos").flatMap(({ id, node }): Change[] => {
    const [angles = -1] = node.inputs;
    const spread = userOf(program, "expand", id);
    const product = userOf(program, "mul", spread?.id ?? id);
    const sum = product && userOf(program, "add", product.id);
    const [x = -1] = product?.node.inputs ?? [];
    if (!sum) return [];
    return [
      [
        sum.id,
        (_, __, at) => {
          const halves = regrouped(at(x), "(d j) -> (j d)");
          return regrouped(rotate(halves, named("l k", at(angles))), "(j d) -> (d j)");
        },
      ],
    ];
  });

export const palmBlock: readonly Mutant[] = [
  {
    id: "swiglu-halves-exchanged",
    number: 39,
    title: "SwiGLU takes its first half as the gate",
    seenIn: "mlx-lm #767",
    needs: "a SwiGLU",
    apply: changing(gatedProducts),
  },
  {
    id: "rotary-in-neighbours",
    number: 40,
    title: "Rotary embeddings rotate neighbouring features, and not features half a head apart",
    seenIn: "vllm-ascend #12765, in the other direction; GPT-J against GPT-NeoX",
    needs: "PaLM's layer with two positions and heads wider than 2",
    apply: changing(inNeighbours),
  },
];
