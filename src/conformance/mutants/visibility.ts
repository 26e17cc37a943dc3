// What a masked cross-attention sees, as a rule over positions and images, and how to put another rule in its place.
import { MaskedCrossAttention } from "../../blocks/masked-cross-attention.ts";
import type { Convention } from "../../masks/conventions/conventions.ts";
import { locate, promptsOf } from "../../masks/grid.ts";
import { softmaxEmptyRow, textTime } from "../../masks/media-mask.ts";
import { FlamingoPaLM } from "../../models/flamingo/flamingo-palm.ts";
import { repeat } from "../../tensor/ops/arrange.ts";
import { maskedSoftmax, where } from "../../tensor/ops/functions.ts";
import type { EmptyRow } from "../../tensor/ops/table.ts";
import { Bool, Int } from "../../tensor/tensor.ts";
import { type Change, type Context, changing } from "./mutant.ts";
import { type Attention, attentionsOf, join, linearOf } from "./pattern-matchers.ts";

/** For the prompt b, its position l and the image m, all counted from 0. */
export interface Visibility {
  readonly may: (b: number, l: number, m: number) => boolean;
  /** Rows that are set to zero after the softmax. */
  readonly zeroed: (b: number, l: number) => boolean;
  readonly emptyRow: EmptyRow;
}

export interface MaskedAttention {
  readonly attention: Attention;
  readonly convention: Convention;
  /** 1 at each image's token, and how many images stand at or before each position. */
  readonly located: readonly (readonly number[])[];
  readonly time: readonly (readonly number[])[];
  readonly images: number;
  /** What is right. */
  readonly visibility: Visibility;
}

/** The number of an image or position, or 0 outside. */
export const cell = (rows: readonly (readonly number[])[], b: number, l: number): number => rows[b]?.[l] ?? 0;

export const compares = ({ compare }: Convention, time: number, image: number): boolean =>
  compare === "equal" ? time === image : time >= image;

function locations({ model, inputs }: Context): Bool | null {
  if (inputs.media_locations instanceof Bool) return inputs.media_locations;
  if (!(model instanceof FlamingoPaLM) || !(inputs.text instanceof Int)) return null;
  const { shape, data } = locate(inputs.text, model.options.mediaTokenId);
  return new Bool(shape, data);
}

/** Every cross-attention that has a mask. */
export function maskedAttentions(context: Context): MaskedAttention[] {
  const where = locations(context);
  if (!where) return [];
  const located = promptsOf(where);
  const times = textTime(where);
  const time = promptsOf(times);
  return attentionsOf(context, MaskedCrossAttention).flatMap((attention) => {
    const { convention } = attention.module.options;
    const media = linearOf(context.program, join(attention.path, "to_kv.weight"))?.node.inputs[0] ?? -1;
    const images = context.program.nodes[media]?.shape[1] ?? 0;
    const visibility: Visibility = {
      may: (b, l, m) => compares(convention, cell(time, b, l), m + 1), // [mutant.sight]
      zeroed: (b, l) => convention.zeroBeforeFirstImage && cell(time, b, l) === 0, // [mutant.sight]
      emptyRow: softmaxEmptyRow(convention),
    };
    return attention.masked ? [{ attention, convention, located, time, images, visibility }] : [];
  });
}

type Masks = { readonly mayAttend: Bool; readonly postSoftmaxMask: Bool };

/** A rule written out over heads and keys. */
export function masksOf({ located, images, attention }: MaskedAttention, { may, zeroed }: Visibility): Masks {
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

/** What makes one attention see by another rule; nothing if that is the same rule here. */
export function withVisibility(layer: MaskedAttention, other: Visibility): Change[] {
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

/** The mutant whose cross-attentions see by another rule; null: this one is not touched. */
export const seeing = (rule: (layer: MaskedAttention) => Partial<Visibility> | null) =>
  changing((context) =>
    maskedAttentions(context).flatMap((layer) => {
      const other = rule(layer);
      return other ? withVisibility(layer, { ...layer.visibility, ...other }) : [];
    }),
  );
