// The layout of a weight: mutants 28.
import { ParallelTransformerBlock } from "../../../blocks/parallel-transformer-block.ts";
import { rearrange, slice } from "../../../tensor/ops/arrange.ts";
import { apply } from "../../../tensor/ops/rules.ts";
import { named } from "../../../tensor/pattern.ts";
import { type Change, type Context, changing, type Mutant } from "../mutant.ts";
import { join, linearOf, modulesOf, nodesOf, operandOf } from "../pattern-matchers.ts";

const LINEAR = "... i, o i -> ... o";

/** Keys and values of a joint projection: the last two of its parts. */
const swappedParts = ({ program }: Context): Change[] =>
  nodesOf(program, "slice").flatMap(({ id, node, attrs: { axis, from, to } }): Change[] => {
    const whole = operandOf(program, "rearrange", node.inputs[0]);
    const parts = whole?.node.shape[0] ?? 0;
    if (!whole || axis !== 0 || !whole.attrs.pattern.includes("(n h k)") || from < parts - 2) return [];
    const other = from === parts - 1 ? -1 : 1;
    return [[id, (x) => slice(x, 0, from + other, to + other)]];
  });

/** PaLM's keys and values, which are adjacent in its single projection. */
const swappedSlices = (context: Context): Change[] =>
  modulesOf(context, ParallelTransformerBlock).flatMap(([path, { options }]): Change[] => {
    const { heads, dimHead } = options;
    const fused = linearOf(context.program, join(path, "fused_attn_ff_proj.weight"));
    return nodesOf(context.program, "slice").flatMap(({ id, node, attrs }): Change[] => {
      const part = attrs.from / dimHead - heads; // 0: keys, 1: values
      if (node.inputs[0] !== fused?.id || attrs.to - attrs.from !== dimHead) return [];
      if (part !== 0 && part !== 1) return [];
      const from = attrs.from + (part === 0 ? dimHead : -dimHead);
      return [[id, (x) => slice(x, -1, from, from + dimHead)]];
    });
  });

export const layout: readonly Mutant[] = [
  {
    id: "heads-inside",
    number: 28,
    title: "Heads are split as (k h) where the weights have (h k)",
    seenIn: "nntile #404 and other ports",
    needs: "several heads",
    apply: changing(({ program }) =>
      nodesOf(program, "rearrange").flatMap(({ id, attrs: { pattern, sizes } }): Change[] => {
        const [before = "", after = ""] = pattern.split(" -> ");
        if (!/\bh k\)/.test(before)) return [];
        const swapped = `${before.replace("h k)", "k h)")} -> ${after}`;
        return [[id, (x) => apply("rearrange", { pattern: swapped, sizes }, x)]];
      }),
    ),
  },
  {
    id: "keys-as-values",
    number: 28,
    title: "Keys and values are swapped",
    seenIn: "keras-hub #1110 and other ports of joint projections",
    needs: "any attention",
    apply: changing((context) => [...swappedParts(context), ...swappedSlices(context)]),
  },
  {
    id: "kernel-not-transposed",
    number: 28,
    title: "Linear weights, stored [out, in], are read as [in, out]",
    seenIn: "keras-hub #1110, nntile #404",
    needs: "any linear; a square one cannot tell by its shape",
    apply: changing(({ program }) =>
      nodesOf(program, "einsum").flatMap(({ id, attrs }): Change[] => {
        if (attrs.pattern !== LINEAR) return [];
        return [
          [
            id,
            (x, weight) => {
              const [o = 0, i = 0] = weight.shape;
              const flat = named("(i o)", rearrange("o i -> (o i)", named("o i", weight)));
              return apply(
                "einsum",
                { pattern: "... i, i o -> ... o" },
                x,
                rearrange("(i o) -> i o", flat, { i, o }),
              );
            },
          ],
        ];
      }),
    ),
  },
];
