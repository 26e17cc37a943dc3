// What Kosmos and FlamingoPaLM have in common in this comparison: documents in, a loss or a continuation out.
import type { Backend } from "../../kernels/backend.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { Embeddings } from "../digits/embeddings.ts";
import type { EncodedDocument } from "./documents.ts";

export type ReaderName = "Kosmos" | "FlamingoPaLM";

/** A position of a sequence: a token id, or a part of the picture with this number. */
export type Position = number | { readonly picture: number };

/** A model that reads documents. Pictures are given as what the image tower made of them. */
export interface Reader {
  readonly name: ReaderName;
  /** The module that owns the parameters. */
  readonly model: object;
  /** Parameters that are trained: all but those of the image tower, which is trained before. */
  readonly names: readonly string[];
  /** The mean loss of text tokens. */
  readonly loss: (documents: readonly EncodedDocument[], features: Embeddings) => Tensor<"">;
  /** Logits at every position of one document. */
  readonly logits: (document: EncodedDocument, features: Embeddings) => Tensor;
  /** The sequence that self-attention reads. */
  readonly sequence: (document: EncodedDocument) => readonly Position[];
  /** What the model writes behind each of several prompts, greedily. All prompts have equally many tokens and pictures. */
  readonly answers: (
    prompts: readonly EncodedDocument[],
    features: Embeddings,
    backend: Backend,
  ) => Promise<number[][]>;
}
