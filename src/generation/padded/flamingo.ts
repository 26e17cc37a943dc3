// `Flamingo.generate` of open-flamingo 2.0.1 (open_flamingo/src/flamingo.py): a padded batch of texts with images in, texts with their
// continuations out.
import { noPadding, rowsOf } from "../../models/language-model.ts";
import { OpenFlamingo } from "../../models/open-flamingo/flamingo.ts";
import type { FlamingoImages } from "../../models/open-flamingo/inputs.ts";
import { type Check, checked, checkObject, optional, passing, shown } from "../../nn/options.ts";
import { RuleError } from "../../tensor/errors.ts";
import { Bool, Int } from "../../tensor/tensor.ts";
import { generate } from "../generate.ts";
import { type GenerateOptions, tokenId } from "../options.ts";
import { filled, unpadded } from "./text.ts";

/** The options of `generate`, with padded prompts and their images. */
export interface GenerateFlamingoOptions
  extends Omit<GenerateOptions, "stop" | "seenPrompts">,
    FlamingoImages {
  /** Prompts, with their padding on the left. */
  readonly langX: Int<"b l">;
  /** False for padding. Default: `padTokenId` is padding if it is given and ends no text; otherwise nothing is. */
  readonly attentionMask?: Bool<"b l"> | null | undefined;
  /** The token that ends a row, or several of them. Default: the model's `eocTokenId`; the language model's own end does not end a row. */
  readonly stop?: number | readonly number[] | undefined;
  /** The token with which rows that ended early are filled. Default: the first stop token. */
  readonly padTokenId?: number | undefined;
}

type Own = Pick<GenerateFlamingoOptions, "langX" | "attentionMask" | "padTokenId">;
const checks: { readonly [K in keyof Own]-?: Check } = {
  langX: passing("token ids, as int() makes them", (value) => value instanceof Int),
  attentionMask: optional(
    passing("booleans, as bool() makes them", (value) => value === null || value instanceof Bool),
  ),
  padTokenId: optional(tokenId),
};

/** The mask of a batch: the one that is given, or the one that its padding tokens give. */
function maskOf({ langX, attentionMask, padTokenId: pad }: Own, stops: readonly number[]): Bool<"b s"> {
  const [b = 0, l = 0] = langX.shape;
  if (attentionMask) return new Bool<"b s">(attentionMask.shape, attentionMask.flat());
  if (pad === undefined || stops.includes(pad)) return noPadding(b, l);
  return new Bool(
    [b, l],
    Uint8Array.from(langX.flat(), (id) => Number(id !== pad)), // [openflamingo.inferred-mask]
  );
}

/**
 * Continues each text until the end of a chunk or by `maxTokens` tokens, greedily, by sampling (`seed`) or with `beams`, and returns texts and
 * continuations as one tensor: `returns` rows for each text. Throws a RuleError for images that do not go with the text, for padding
 * behind a text, and as `generate` does.
 */
export async function generateFlamingo(
  model: OpenFlamingo,
  options: GenerateFlamingoOptions,
): Promise<Int<"b l">> {
  if (!(model instanceof OpenFlamingo))
    throw new RuleError(
      `generateFlamingo takes an OpenFlamingo, not ${shown(model)}; generate continues texts of other models`,
      "options.values",
    );
  checkObject("generateFlamingo", options);
  const { visionX, features, media, langX, attentionMask, padTokenId, ...rest } = options;
  const own = checked("generateFlamingo", { langX, attentionMask, padTokenId }, checks);
  const { eocTokenId, behaviour } = model.options;
  const { stop = eocTokenId, ...how } = rest; // [openflamingo.stop]
  const stops = typeof stop === "number" ? [stop] : stop;
  const prompts = unpadded({ ids: own.langX, mask: maskOf(own, stops) });
  const rows = rowsOf(own.langX);
  const seen = behaviour.seenPrompts === "padded" ? { seenPrompts: rows } : {}; // [openflamingo.seen-prompts]
  const writer = model.withMedia({ visionX, features, media }); // [openflamingo.returns]
  const texts = await generate(writer, prompts, { ...how, ...seen, stop });
  const returns = texts.length / prompts.length;
  const promptOf = (i: number): number => Math.floor(i / returns);
  const added = texts.map((text, i) => text.slice(prompts[promptOf(i)]?.length));
  return filled(
    added.map((_, i) => rows[promptOf(i)] ?? []),
    added,
    padTokenId ?? stops[0] ?? 0,
  );
}
