// The arguments of Kosmos' methods, checked.
import { type Check, checked, nullable, optional, passing } from "../../nn/options.ts";
import { RuleError } from "../../tensor/errors.ts";
import { shapes } from "../../tensor/pattern.ts";
import { Bool, Int, Tensor } from "../../tensor/tensor.ts";

/**
 * Images, in one of three forms. Without the axis m they are those of the whole batch, in the order in which they are read: row after row,
 * and in each row from the left. With it every row has m images, of which it reads as many as it has places for.
 */
export interface KosmosImages {
  /** Preprocessed pixels, as floats. */
  readonly images?: Tensor<"n c h w"> | Tensor<"b m c h w"> | null | undefined;
  /** Outputs of the image tower, as `encode` returns them: all tokens, the class token first. */
  readonly features?: Tensor<"n s e"> | Tensor<"b m s e"> | null | undefined;
  /** Vectors that stand in the text, as `perceive` returns them. */
  readonly vectors?: Tensor<"n r d"> | Tensor<"b m r d"> | null | undefined;
}

/** Token ids with their images, and optionally targets. */
export interface KosmosInputs extends KosmosImages {
  /**
   * Token ids. The place of an image is `<image> </image>`, between which its vectors are put, or `<image>`, one further image token for each
   * vector, `</image>`, as `kosmosLayout` writes it.
   */
  readonly ids: Int<"b l">;
  /** False for padding, which stands at the right. Default: all ids are read, padding too, which changes nothing before it. */
  readonly mask?: Bool<"b l"> | null | undefined;
  /** For every position of the logits the id that follows it, or −100 where there is no loss, as `kosmosLayout` returns them. */
  readonly targets?: Int<"b s"> | null | undefined;
}

/** Logits, and the loss where there are targets. */
export interface KosmosOutputs {
  /** Of the token that follows each position; s counts the ids and the vectors. Those of padding have no meaning. */
  readonly logits: Tensor<"b s n">;
  /** The mean cross-entropy of the targets; null without targets. */
  readonly loss: Tensor<""> | null;
}

const floats: Check = optional(
  nullable(
    passing(
      "a tensor of floats, as preprocessing makes it: integers would cut off normalised pixels",
      (value) => value instanceof Tensor,
    ),
  ),
); // [kosmos.pixels]
const integers = passing("token ids, as int() makes them", (value) => value instanceof Int);
const imageChecks: { readonly [K in keyof KosmosImages]-?: Check } = {
  images: floats,
  features: floats,
  vectors: floats,
};
const checks: { readonly [K in keyof KosmosInputs]-?: Check } = {
  ...imageChecks,
  ids: integers,
  mask: optional(nullable(passing("booleans, as bool() makes them", (value) => value instanceof Bool))),
  targets: optional(nullable(integers)),
};

/** The form of images that is given, or null; throws a RuleError for more than one. */
function oneForm(caller: string, { images, features, vectors }: KosmosImages): KosmosImages | null {
  const given = [images && { images }, features && { features }, vectors && { vectors }].filter(
    (form) => !!form,
  );
  if (given.length > 1)
    throw new RuleError(
      `${caller}: ${given.flatMap(Object.keys).join(" and ")} are forms of the same images; give one of them`,
      "kosmos.images",
    );
  return given[0] ?? null;
}

/** The arguments of a call. Throws a RuleError that names the argument, and a ShapeError for ids that are not a batch of texts. */
export function checkedInputs(
  caller: string,
  inputs: KosmosInputs,
): { readonly inputs: KosmosInputs; readonly images: KosmosImages | null } {
  const known = checked(caller, inputs, checks);
  const { ids, mask } = known;
  const { b, l } = shapes(caller, { ids: [ids, "b l"] });
  if (b * l === 0)
    throw new RuleError(`${caller}: ids is [${b} ${l}]; give at least one token`, "kosmos.text");
  if (mask) shapes(caller, { ids: [ids, "b l"], mask: [mask, "b l"] });
  return { inputs: known, images: oneForm(caller, known) };
}

/** The images of a call that takes nothing else; null: there are none. */
export const checkedImages = (caller: string, images: KosmosImages): KosmosImages | null =>
  oneForm(caller, checked(caller, images, imageChecks));
