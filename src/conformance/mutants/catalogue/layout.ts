// The layout of weights, and of masks over heads: mutants 28.
import { MaskedCrossAttention } from "../../../blocks/masked-cross-attention.ts";
import { ParallelTransformerBlock } from "../../../blocks/parallel-transformer-block.ts";
import { PerceiverAttention } from "../../../blocks/perceiver-attention.ts";
import { rearrange, slice } from "../../../tensor/ops/arrange.ts";
import { maskedSoftmax, where } from "../../../tensor/ops/functions.ts";
import { apply } from "../../../tensor/ops/rules.ts";
import type { Mask } from "../../../tensor/ops/table.ts";
import { named } from "../../../tensor/pattern.ts";
import { Bool, type Shape, type Tensor } from "../../../tensor/tensor.ts";
import { type Change, type Context, changing, type Mutant } from "../mutant.ts";
import {
  attentions,
  boolOf,
  type Found,
  GROUPED,
  join,
  modulesOf,
  nodesOf,
  operandOf,
} from "../pattern-matchers.ts";

const LINEAR = "... i, o i -> ... o";

/** Keys and values of a joint projection of all three: the last two of its parts. */
const swappedParts = ({ program }: Context): Change[] =>
  nodesOf(program, "slice").flatMap(({ id, node, attrs: { axis, from, to } }): Change[] => {
    const whole = operandOf(program, "rearrange", node.inputs[0]);
    const parts = whole?.node.shape[0] ?? 0;
    if (!whole || axis !== 0 || !whole.attrs.pattern.includes("(n h k)") || from < parts - 2) return [];
    const other = from === parts - 1 ? -1 : 1;
    return [[id, (x) => slice(x, 0, from + other, to + other)]];
  });

/** Keys and values of a joint projection of both: its halves. */
const swappedHalves = (context: Context): Change[] => {
  const { program } = context;
  const modules = [...modulesOf(context, PerceiverAttention), ...modulesOf(context, MaskedCrossAttention)];
  const weights = modules.map(([path]) => program.leaves[join(path, "to_kv.weight")]);
  return nodesOf(program, "slice").flatMap(({ id, node, attrs: { from, to } }): Change[] => {
    const projected = operandOf(program, "einsum", node.inputs[0]);
    if (!projected || !weights.includes(projected.node.inputs[1])) return [];
    const start = to - from - from;
    return [[id, (x) => slice(x, -1, start, start + to - from)]];
  });
};

/** Keys and values of a joint projection that is cut into queries, keys and values: the last two of its three parts. */
const swappedThirds = ({ program }: Context): Change[] => {
  const cuts = new Map<number | undefined, Found<"slice">[]>();
  for (const cut of nodesOf(program, "slice")) {
    const [whole] = cut.node.inputs;
    cuts.set(whole, [...(cuts.get(whole) ?? []), cut]);
  }
  return [...cuts.values()].flatMap(([queries, keys, values, ...more]): Change[] => {
    if (!queries || !keys || !values || more.length > 0) return [];
    const [k, v] = [keys.attrs, values.attrs];
    const isWidth = v.axis === values.node.shape.length - 1;
    if (!isWidth || queries.attrs.to !== k.from || k.to !== v.from || k.to - k.from !== v.to - v.from)
      return [];
    return [
      [keys.id, (x) => slice(x, v.axis, v.from, v.to)],
      [values.id, (x) => slice(x, k.axis, k.from, k.to)],
    ];
  });
};

/** PaLM's keys and values, which are adjacent in its single projection. */
const swappedSlices = (context: Context): Change[] => {
  const { program } = context;
  return modulesOf(context, ParallelTransformerBlock).flatMap(([path, { options }]): Change[] => {
    const { heads, dimHead } = options;
    const weight = program.leaves[join(path, "fused_attn_ff_proj.weight")];
    return nodesOf(program, "slice").flatMap(({ id, node, attrs }): Change[] => {
      const projected = operandOf(program, "einsum", node.inputs[0]);
      const part = attrs.from / dimHead - heads; // 0: keys, 1: values
      if (!projected || projected.node.inputs[1] !== weight || attrs.to - attrs.from !== dimHead) return [];
      if (part !== 0 && part !== 1) return [];
      const from = attrs.from + (part === 0 ? dimHead : -dimHead);
      return [[id, (x) => slice(x, -1, from, from + dimHead)]];
    });
  });
};

/** Queries in groups (h g) and not (g h), and their results joined in that order. */
const tiledGroups = (context: Context): Change[] =>
  rearranging(context, (pattern) => {
    if (pattern === GROUPED) return pattern.replace("(g h)", "(h g)");
    return pattern.endsWith("(g h k)") ? pattern.replace("(g h k)", "(h g k)") : null;
  });

/** Keys and values that are repeated as a whole, and not head by head. */
const tiledRepeats = ({ program }: Context): Change[] =>
  nodesOf(program, "repeat").flatMap(({ id, attrs: { pattern, sizes } }): Change[] => {
    const tiled = { pattern: pattern.replace("(g r)", "(r g)"), sizes };
    return tiled.pattern === pattern ? [] : [[id, (x) => apply("repeat", tiled, x)]];
  });

/** Rearrangements by another pattern; null leaves one as it is. */
const rearranging = ({ program }: Context, by: (pattern: string) => string | null): Change[] =>
  nodesOf(program, "rearrange").flatMap(({ id, attrs: { pattern, sizes } }): Change[] => {
    const other = by(pattern);
    return other ? [[id, (x) => apply("rearrange", { pattern: other, sizes }, x)]] : [];
  });

/** Splits a projection into heads: of queries (h), of keys and values (g), or of all three together (c). */
const SPLIT = /\b([hg]) ([kc])\)(?=.* ->)/;
/** Joins the heads' results. */
const JOINED = /(?<=-> .*)\(((?:g )?h) k\)/;

const splitInside = (pattern: string): string | null =>
  SPLIT.test(pattern) ? pattern.replace(SPLIT, "$2 $1)") : null;
const joinedInside = (pattern: string): string | null =>
  JOINED.test(pattern) ? pattern.replace(JOINED, "(k $1)") : null;

/** The same numbers in the same order, with another shape. */
function reshaped(x: Tensor, shape: Shape): Tensor {
  const names = (axes: Shape) => axes.map((_, i) => `~${i}`).join(" ");
  const sizes = (axes: Shape) => Object.fromEntries(axes.map((n, i) => [`~${i}`, n]));
  const flat = { pattern: `${names(x.shape)} -> (${names(x.shape)})`, sizes: sizes(x.shape) };
  const back = { pattern: `(${names(shape)}) -> ${names(shape)}`, sizes: sizes(shape) };
  return apply("rearrange", back, apply("rearrange", flat, x));
}

/** Numbers of prompts and heads, which share one axis of scores in many implementations. */
interface Counts {
  readonly prompts: number;
  readonly heads: number;
}
/** The prompt whose mask a head of a prompt gets. */
type PromptOf = (prompt: number, head: number, counts: Counts) => number;

/** The mask has (h b), the scores (b h). */
const tiled: PromptOf = (prompt, head, { prompts, heads }) => (prompt * heads + head) % prompts;
/** The mask has (b h), the scores (h b). */
const interleaved: PromptOf = (prompt, head, { prompts, heads }) =>
  Math.floor((head * prompts + prompt) / heads);

/** A mask over prompts, heads, queries and keys in which each head has the mask of a prompt that may be another. */
function exchanged(mask: Mask, promptOf: PromptOf): Bool {
  const { shape } = mask;
  const [prompts = 1] = shape;
  const heads = shape.slice(1, -2).reduce((product, n) => product * n, 1);
  const values = boolOf(mask).flat();
  const each = values.length / (prompts * heads); // of one head of one prompt
  const moved = values.map((_, i) => {
    const at = Math.floor(i / each);
    const [prompt, head] = [Math.floor(at / heads), at % heads];
    return values[(promptOf(prompt, head, { prompts, heads }) * heads + head) * each + (i % each)] ?? 0;
  });
  return new Bool(shape, moved);
}

const isSame = (mask: Mask, other: Bool): boolean => {
  const values = other.flat();
  return boolOf(mask)
    .flat()
    .every((x, i) => x === values[i]);
};

/** Attention with the masks of other prompts; `zeroing` is that of rows before the first image, after the softmax. */
const maskedBy = (promptOf: PromptOf, also: { readonly zeroing: boolean }) =>
  changing(({ program }) =>
    attentions(program).flatMap(({ masked, softmax, zeroing }): Change[] => {
      const { mayAttend, emptyRow } = softmax.attrs;
      if (!masked || !mayAttend || (also.zeroing && !zeroing)) return [];
      const changed = exchanged(mayAttend, promptOf);
      const rows = also.zeroing && zeroing ? exchanged(zeroing.attrs.keep, promptOf) : null;
      if (isSame(mayAttend, changed) && !(rows && zeroing && !isSame(zeroing.attrs.keep, rows))) return [];
      const changes: Change[] = [
        [masked.id, (x) => where(changed, x, -Infinity)],
        [softmax.id, (x) => maskedSoftmax(x, changed, { emptyRow })],
      ];
      return rows && zeroing ? [...changes, [zeroing.id, (weights) => where(rows, weights)]] : changes;
    }),
  );

export const layout: readonly Mutant[] = [
  {
    id: "heads-inside",
    number: 28,
    title: "Heads are split as (k h) where the weights have (h k)",
    seenIn: "nntile #404 and other ports",
    needs: "several heads",
    apply: changing((context) => rearranging(context, splitInside)),
  },
  {
    id: "heads-inside-throughout",
    number: 28,
    title: "Heads are split as (k h) and joined again as (k h), where the weights have (h k)",
    seenIn: "ports that write (d h) for (h d) in every pattern",
    needs: "several heads and several keys: with one key nothing but the scores differs",
    apply: changing((context) =>
      rearranging(context, (pattern) => splitInside(pattern) ?? joinedInside(pattern)),
    ),
  },
  {
    id: "heads-not-moved-back",
    number: 28,
    title:
      "The heads' results are joined by a reshape alone, with the heads' axis still before the positions",
    seenIn: "jsbaan/transformer-from-scratch #4, dfdx #158, xieenze/Trans2Seg #4",
    needs: "several heads and several queries",
    apply: changing(({ program }) =>
      nodesOf(program, "rearrange").flatMap(({ id, node, attrs: { pattern } }): Change[] =>
        JOINED.test(pattern) ? [[id, (x) => reshaped(x, node.shape)]] : [],
      ),
    ),
  },
  {
    id: "grouped-keys-tiled",
    number: 28,
    title: "Heads of queries take turns with the heads of keys, and neighbours share none",
    seenIn: "onnx #7274, onnxscript #2408 (tile for repeat_interleave)",
    needs: "several heads of keys, each for several of queries",
    apply: changing((context) => [...tiledGroups(context), ...tiledRepeats(context)]),
  },
  {
    id: "mask-tiled-over-heads",
    number: 28,
    title: "The mask has (h b) where the scores have (b h), so that heads get the masks of other prompts",
    seenIn: "line/lighthouse #77, CLIP4Clip #22 (repeat for repeat_interleave)",
    needs: "several heads, and prompts with unequal masks",
    apply: maskedBy(tiled, { zeroing: false }),
  },
  {
    id: "mask-tiled-with-zeroing",
    number: 28,
    title: "The mask has (h b) where the scores have (b h), and so has the zeroing of rows",
    seenIn: "ports that repeat every mask over heads alike",
    needs: "several heads, and prompts with unequal text before their first images",
    apply: maskedBy(tiled, { zeroing: true }),
  },
  {
    id: "mask-interleaved-over-heads",
    number: 28,
    title: "The mask has (b h) where the scores have (h b), so that heads get the masks of other prompts",
    seenIn: "attention-is-all-you-need-keras #28, #36 (repeat_elements for tile)",
    needs: "several heads, and prompts with unequal masks",
    apply: maskedBy(interleaved, { zeroing: false }),
  },
  {
    id: "mask-interleaved-with-zeroing",
    number: 28,
    title: "The mask has (b h) where the scores have (h b), and so has the zeroing of rows",
    seenIn: "ports that repeat every mask over heads alike",
    needs: "several heads, and prompts with unequal text before their first images",
    apply: maskedBy(interleaved, { zeroing: true }),
  },
  {
    id: "keys-as-values",
    number: 28,
    title: "Keys and values are swapped",
    seenIn: "keras-hub #1110 and other ports of joint projections",
    needs: "any attention",
    apply: changing((context) => [
      ...swappedParts(context),
      ...swappedHalves(context),
      ...swappedThirds(context),
      ...swappedSlices(context),
    ]),
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
