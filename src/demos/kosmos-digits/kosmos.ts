// A small Kosmos on the documents: the latents of each picture are positions of the sequence.
import { generate } from "../../generation/generate.ts";
import { Kosmos } from "../../models/kosmos/kosmos.ts";
import { type KosmosLayout, kosmosBatch, kosmosLayout } from "../../models/kosmos/layout.ts";
import { MagnetoDecoder } from "../../models/language-models/magneto/decoder.ts";
import type { CLIPVisionModel } from "../../models/vision/clip/transformers.ts";
import { parameterNames } from "../../nn/state-dict.ts";
import { rearrange } from "../../tensor/ops/arrange.ts";
import { named } from "../../tensor/pattern.ts";
import { Bool, Int, type Tensor } from "../../tensor/tensor.ts";
import { type Embeddings, sequencesOf } from "../digits/embeddings.ts";
import type { EncodedDocument } from "./documents.ts";
import type { Reader } from "./reader.ts";
import { ANSWERS, HEAD, RESAMPLER, WIDTH } from "./sizes.ts";
import { IDS, VOCABULARY_SIZE } from "./vocabulary.ts";

const DECODER = {
  width: WIDTH,
  layers: 4,
  heads: HEAD.heads,
  feedForwardWidth: 4 * WIDTH,
  xpos: true,
  maxPositions: 128,
} as const;
const { bos, pad, eos, image, imageEnd } = IDS;
const TOKENS = { bos, pad, eos, image, imageEnd } as const;
const LAYOUT = {
  tokens: TOKENS,
  slots: RESAMPLER.numLatents,
  maxPositions: DECODER.maxPositions,
} as const;

/** Runs of text, and "image" in the place of each picture. */
function segmentsOf({ ids }: EncodedDocument): ("image" | number[])[] {
  const segments: ("image" | number[])[] = [];
  for (const id of ids) {
    const last = segments.at(-1);
    if (id === null) segments.push("image");
    else if (Array.isArray(last)) last.push(id);
    else segments.push([id]);
  }
  return segments;
}

const layoutOf = (document: EncodedDocument, end: boolean): KosmosLayout =>
  kosmosLayout(segmentsOf(document), { ...LAYOUT, end });

const integers = <A extends string>(rows: readonly (readonly number[])[]): Int<A> =>
  new Int<A>([rows.length, rows[0]?.length ?? 0], Int32Array.from(rows.flat()));

/** The features of all pictures, document after document; nothing where there are none. */
function imagesOf(
  documents: readonly EncodedDocument[],
  features: Embeddings,
): { readonly features?: Tensor<"n s e"> } {
  const all = documents.flatMap(({ pictures }) => pictures);
  if (all.length === 0) return {};
  return {
    features: named("n s e", rearrange("1 n s e -> n s e", named("1 n s e", sequencesOf([all], features)))),
  };
}

/** A small Kosmos around an image tower. */
export function digitsKosmos({ vision_model }: CLIPVisionModel): Kosmos {
  const decoder = new MagnetoDecoder({ ...DECODER, vocabSize: VOCABULARY_SIZE, paddingId: pad });
  return new Kosmos({ clip: vision_model, decoder, tokens: TOKENS, resampler: { ...HEAD, ...RESAMPLER } });
}

/** A Kosmos as a reader. The tower's weights are those of the classifier, which are trained already. */
export function kosmosReader(model: Kosmos): Reader {
  const isTower = (name: string): boolean => name.startsWith("clip_model.");
  return {
    name: "Kosmos",
    model,
    names: parameterNames(model).filter((name) => !isTower(name)),
    loss(documents, features) {
      const layouts = documents.map((one) => layoutOf(one, true));
      const { ids, mask } = kosmosBatch(layouts, pad);
      return model.loss({
        // [kosmosDigits.targets]
        ids: integers(ids),
        mask: new Bool([mask.length, mask[0]?.length ?? 0], Uint8Array.from(mask.flat(), Number)),
        ...imagesOf(documents, features),
      });
    },
    logits: (document, features) =>
      model.forward({ ids: integers([layoutOf(document, false).ids]), ...imagesOf([document], features) })
        .logits,
    sequence(document) {
      const { ids, slots } = layoutOf(document, false);
      const picture = new Map(slots.map((at, i) => [at, Math.floor(i / RESAMPLER.numLatents)]));
      return ids.map((id, at) => {
        const one = picture.get(at);
        return one === undefined ? id : { picture: one };
      });
    },
    async answers(prompts, features, backend) {
      const ids = prompts.map((one) => layoutOf(one, false).ids);
      const writer = model.withMedia(perPrompt(prompts, features));
      const rows = await generate(writer, ids, { ...ANSWERS, backend });
      return rows.map((row, i) => row.slice(ids[i]?.length));
    },
  };
}

/** The features of the pictures of each prompt; every prompt has equally many. */
function perPrompt(
  prompts: readonly EncodedDocument[],
  features: Embeddings,
): { readonly features?: Tensor<"b m s e"> } {
  const rows = prompts.map(({ pictures }) => pictures);
  return rows[0]?.length ? { features: named("b m s e", sequencesOf(rows, features)) } : {};
}
