// How the tensors of a checkpoint and the parameters of a model correspond, as data.
import type { Aside } from "../../../models/open-flamingo/checkpoints/names.ts";
import type { Shape } from "../../../tensor/tensor.ts";

/** A name of the model, and all names that the checkpoint has for it; the first one is read. */
export interface Copies {
  readonly name: string;
  readonly from: readonly string[];
}

/** The numbers of layers with gated cross-attention. */
export interface GatedLayers {
  readonly model: readonly number[];
  readonly checkpoint: readonly number[];
}

/** What was read from a checkpoint, what was not, and what the model lacks. `describeCheckpointReport` makes lines of it. */
export interface CheckpointReport {
  /** The file, or what stands for it in errors. */
  readonly file: string;
  /** Whether it is a checkpoint of training, and not a bare state dict. */
  readonly isTraining: boolean;
  /** Entries that are no tensors of the state dict, such as "epoch"; they are not read. */
  readonly besides: readonly string[];
  /** The common prefix that was removed from all names, beside the fields of wrappers; empty if nothing was. */
  readonly prefix: string;
  /** The number of tensors in the checkpoint. */
  readonly tensors: number;
  /** Parameters of the model that are loaded. */
  readonly loaded: readonly string[];
  /** Those of which the checkpoint has several copies, which are equal. */
  readonly copies: readonly Copies[];
  /** Names that differ from those of the model, without those of copies. */
  readonly renamed: readonly { readonly name: string; readonly from: string }[];
  /** Names of the checkpoint that no model has a place for, by reason. */
  readonly aside: Readonly<Record<Aside, readonly string[]>>;
  /** Parameters of the model that the checkpoint lacks; they keep their values. */
  readonly missing: {
    /** Parameters that are frozen, and come from the language model and the image encoder. */
    readonly frozen: readonly string[];
    /** Tables with a row for each token. The rows of added tokens are nowhere else. */
    readonly rows: readonly string[];
    /** The trained part. */
    readonly trained: readonly string[];
  };
  /** Names of the checkpoint that are unknown. */
  readonly unexpected: readonly string[];
  /** All lists are empty if the checkpoint is loaded. */
  readonly problems: {
    readonly wrongShapes: readonly {
      readonly name: string;
      readonly model: Shape;
      readonly checkpoint: Shape;
    }[];
    /** Copies that differ. */
    readonly different: readonly Copies[];
    /** Tensors that cannot be loaded, with a reason that completes "tensor NAME …". */
    readonly unreadable: readonly { readonly name: string; readonly problem: string }[];
    /** Parts of the trained part that one side lacks. */
    readonly incomplete: readonly string[];
    /** At most one: the layers with gated cross-attention, where they are not the same. */
    readonly gatedLayers: readonly GatedLayers[];
    /** With `strict`: what is missing or unexpected beside frozen parameters. */
    readonly strict: readonly string[];
  };
}

export const isLoaded = ({ problems }: CheckpointReport): boolean =>
  Object.values(problems).every((found) => found.length === 0);
