// Finds the masked cross-attentions of a program and replaces their masks.
import { MaskedCrossAttention } from "../../../blocks/masked-cross-attention.ts";
import { mediaLocations, promptsOf } from "../../../masks/grid.ts";
import { FlamingoPaLM } from "../../../models/flamingo/flamingo-palm.ts";
import { repeat } from "../../../tensor/ops/arrange.ts";
import { maskedSoftmax, mul, where } from "../../../tensor/ops/functions.ts";
import { Bool, Int } from "../../../tensor/tensor.ts";
import {
  type MaskedBatch,
  type MistakenRule,
  maskedBatch,
  type VisibilityRule,
} from "../../mistakes/visibility.ts";
import { type Change, type Context, changing } from "../mutant.ts";
import { type Attention, attentionsOf, join, linearOf } from "../pattern-matchers.ts";
import { gates } from "./flamingo-parts.ts";

export interface MaskedAttention extends MaskedBatch {
  readonly attention: Attention;
}

function locations({ model, inputs }: Context): Bool | null {
  if (inputs.media_locations instanceof Bool) return inputs.media_locations;
  if (!(model instanceof FlamingoPaLM) || !(inputs.text instanceof Int)) return null;
  const { shape, data } = mediaLocations(inputs.text, model.options.mediaTokenId);
  return new Bool(shape, data);
}

/** Every cross-attention that has a mask over the tokens whose images are located, and not over those of a later pass. */
export function maskedAttentions(context: Context): MaskedAttention[] {
  const where = locations(context);
  if (!where) return [];
  const located = promptsOf(where);
  return attentionsOf(context, MaskedCrossAttention).flatMap((attention) => {
    const { convention } = attention.module.options;
    const media = linearOf(context.program, join(attention.path, "to_kv.weight"))?.node.inputs[0] ?? -1;
    const images = context.program.nodes[media]?.shape[1] ?? 0;
    const queries = attention.masked?.attrs.keep.shape[2];
    if (queries !== located[0]?.length) return [];
    return [{ attention, ...maskedBatch(located, images, convention) }];
  });
}

type Masks = { readonly mayAttend: Bool; readonly postSoftmaxMask: Bool };

/** A rule as masks over heads and keys. */
export function masksOf(
  { located, images, attention }: MaskedAttention,
  { may, zeroed }: VisibilityRule,
): Masks {
  const [b = 0, h = 0, l = 0, s = 0] = attention.masked?.attrs.keep.shape ?? [];
  const rows = located.flatMap((prompt, b) => prompt.map((_, l) => [b, l] as const));
  const seen = rows.flatMap(([b, l]) => Array.from({ length: images }, (_, m) => Number(may(b, l, m))));
  const postSoftmaxMask = rows.map(([b, l]) => Number(!zeroed(b, l)));
  return {
    mayAttend: repeat("b l m -> b h l (m r)", new Bool<"b l m">([b, l, images], Uint8Array.from(seen)), {
      h,
      r: s / images,
    }),
    postSoftmaxMask: repeat("b l -> b h l s", new Bool<"b l">([b, l], Uint8Array.from(postSoftmaxMask)), {
      h,
      s,
    }),
  };
}

const equal = (a: Uint8Array, b: Uint8Array): boolean => a.every((x, i) => x === b[i]);

/** The changes that make one attention follow another rule; none if both rules agree on this call. */
export function withVisibility(layer: MaskedAttention, other: VisibilityRule): Change[] {
  const { masked, softmax, zeroing } = layer.attention;
  const [right, wrong] = [masksOf(layer, layer.visibility), masksOf(layer, other)];
  const sameMasks =
    equal(right.mayAttend.flat(), wrong.mayAttend.flat()) &&
    equal(right.postSoftmaxMask.flat(), wrong.postSoftmaxMask.flat());
  if (!masked || (sameMasks && layer.visibility.emptyRow === other.emptyRow)) return [];
  const { mayAttend } = wrong;
  const changes: Change[] = [
    [masked.id, (x) => where(mayAttend, x, -Infinity)],
    [softmax.id, (x) => where(wrong.postSoftmaxMask, maskedSoftmax(x, mayAttend, other))],
  ];
  return zeroing ? [...changes, [zeroing.id, (weights) => weights]] : changes;
}

/** The change that skips the feed-forward of the attention's block on some rows; null if the attention is in no block. */
function withFeedForward(
  context: Context,
  { attention, located }: MaskedAttention,
  fed: VisibilityRule["fed"],
) {
  const block = gates(context.program).find(
    ({ path, name }) => name === "ff_gate" && join(path, "attn") === attention.path,
  );
  if (!block) return null;
  const rows = located.flatMap((prompt, b) => prompt.map((_, l) => Number(fed(b, l))));
  const shape = [located.length, rows.length / located.length];
  const { id, node } = block.product;
  const keep = repeat("b l -> b l d", new Bool<"b l">(shape, Uint8Array.from(rows)), {
    d: node.shape[2] ?? 0,
  });
  return [id, (output, gate) => where(keep, mul(output, gate))] satisfies Change;
}

/** The rewrite in which the cross-attentions follow other rules. `rule` returns null for a layer that stays unchanged. */
export const seeing = (rule: MistakenRule) =>
  changing((context) =>
    maskedAttentions(context).flatMap((layer) => {
      const other = rule(layer);
      if (!other) return [];
      const changes = withVisibility(layer, { ...layer.visibility, ...other });
      if (!other.fed) return changes;
      const feedForward = layer.attention.zeroing && withFeedForward(context, layer, other.fed);
      return feedForward ? [...changes, feedForward] : [];
    }),
  );
