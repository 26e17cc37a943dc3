// The arguments of OpenFlamingo's methods, checked.
import { type Check, checked, flag, nullable, optional, passing } from "../../nn/options.ts";
import { RuleError } from "../../tensor/errors.ts";
import { shapes } from "../../tensor/pattern.ts";
import { Bool, Int, Tensor } from "../../tensor/tensor.ts";
import type { Cache } from "../writer.ts";

/** Images, in one of three forms. */
export interface FlamingoImages {
  /** Pixels; f, the number of frames, is 1. */
  readonly visionX?: Tensor<"b m f c h w"> | null | undefined;
  /** Outputs of the image encoder: its tokens for each image. */
  readonly features?: Tensor<"b m s d"> | null | undefined;
  /** Outputs of the resampler, as `perceive` returns them. */
  readonly media?: Tensor<"b m r e"> | null | undefined;
}

/** A cache with the attention mask of its tokens. */
export interface FlamingoCache extends Cache {
  readonly mask: Bool<"b s">;
}

/** Token ids with their images, and optionally labels and a cache. */
export interface FlamingoInputs extends FlamingoImages {
  readonly langX: Int<"b l">;
  /** False for padding; covers the tokens of `pastKeyValues` and those of `langX`. Default: no padding. */
  readonly attentionMask?: Bool<"b s"> | null | undefined;
  /** The token at each position, or −100 where there is no loss. The model shifts them. */
  readonly labels?: Int<"b l"> | null | undefined;
  /** Whether cached media are forgotten after this call. Default true. */
  readonly clearConditionedLayers?: boolean | undefined;
  /** The cache that an earlier call returned: `langX` follows its tokens. */
  readonly pastKeyValues?: Cache | FlamingoCache | null | undefined;
  /** Whether the call returns a cache. Default false. */
  readonly useCache?: boolean | undefined;
}

/** Logits, the loss where there are labels, and the cache where it was asked for. */
export interface FlamingoOutputs {
  /** Of the next token at every position; those of padding have no meaning. */
  readonly logits: Tensor<"b l n">;
  /** The mean cross-entropy of the labels; null without labels. */
  readonly loss: Tensor<""> | null;
  readonly pastKeyValues: FlamingoCache | null;
}

const may = (wanted: string, accepts: Check["accepts"]): Check =>
  optional(nullable(passing(wanted, accepts)));
const tensor = may("a tensor", (value) => value instanceof Tensor);
export const idsCheck: Check = passing("token ids, as int() makes them", (value) => value instanceof Int);
const hasText = (value: unknown): boolean =>
  typeof value === "object" && value !== null && "layers" in value && "text" in value;

const images: { readonly [K in keyof FlamingoImages]-?: Check } = {
  visionX: tensor,
  features: tensor,
  media: tensor,
};
const checks: { readonly [K in keyof FlamingoInputs]-?: Check } = {
  ...images,
  langX: idsCheck,
  attentionMask: may("booleans, as bool() makes them", (value) => value instanceof Bool),
  labels: optional(nullable(idsCheck)),
  clearConditionedLayers: optional(flag),
  pastKeyValues: may("a cache that the model returned", hasText),
  useCache: optional(flag),
};

/** The form of images that is given, or null; throws a RuleError for more than one. */
function oneForm({ visionX, features, media }: FlamingoImages): FlamingoImages | null {
  const given = [visionX && { visionX }, features && { features }, media && { media }].filter(
    (form) => !!form,
  );
  if (given.length > 1)
    throw new RuleError(
      `${given.flatMap(Object.keys).join(" and ")} are forms of the same images; give one of them`,
      "openflamingo.images",
    );
  return given[0] ?? null;
}

/** The arguments of a pass. Throws a RuleError that names the argument, and a ShapeError for ids that are not a batch of texts. */
export function passInputs(
  caller: string,
  inputs: FlamingoInputs,
): { readonly inputs: FlamingoInputs; readonly images: FlamingoImages | null } {
  const known = checked(caller, inputs, checks);
  const { b, l } = shapes(caller, { langX: [known.langX, "b l"] });
  if (b * l === 0)
    throw new RuleError(`${caller}: langX is [${b} ${l}]; give at least one token`, "openflamingo.text");
  if (known.labels) shapes(caller, { langX: [known.langX, "b l"], labels: [known.labels, "b l"] });
  return { inputs: known, images: oneForm(known) };
}

/** The images of a call that needs them. Throws a RuleError if there are none. */
export function imageInputs(caller: string, given: FlamingoImages | Tensor<"b m f c h w">): FlamingoImages {
  const form = oneForm(given instanceof Tensor ? { visionX: given } : checked(caller, given, images));
  if (form) return form;
  throw new RuleError(
    `${caller} needs images: visionX, or features or media that were computed before`,
    "openflamingo.images",
  );
}

/** The mask of a text of which a cache holds the first tokens. `remembered`: whether the cache's own mask goes on. */
export function textMask(
  { langX, attentionMask, pastKeyValues }: FlamingoInputs,
  remembered: boolean,
): Bool<"b s"> {
  if (attentionMask) return attentionMask;
  const [b = 0, l = 0] = langX.shape;
  const past = pastKeyValues?.text.shape[1] ?? 0;
  const data = new Uint8Array(b * (past + l)).fill(1);
  const before = remembered && pastKeyValues && "mask" in pastKeyValues ? pastKeyValues.mask.flat() : null;
  if (before)
    for (let row = 0; row < b; row++)
      data.set(before.subarray(row * past, (row + 1) * past), row * (past + l)); // [openflamingo.remembered-mask]
  return new Bool([b, past + l], data);
}
