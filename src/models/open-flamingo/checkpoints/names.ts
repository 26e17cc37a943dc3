// Names of tensors in checkpoints of OpenFlamingo. In open_flamingo/src/flamingo_lm.py (open-flamingo 2.0.1 and 0.1.1) every tensor of a layer
// has two names: below the language model's list of layers, and below `old_decoder_blocks` or `gated_cross_attn_layers`.
import { withoutWrappers } from "../../../nn/loading/name-differences.ts";
import { GPT_NEOX_5_NAMES } from "../../language-models/gpt-neox.ts";
import { MOSAIC_GPT_NAMES } from "../../language-models/mosaic-mpt.ts";

/** Lists of layers beside that of the language model, and the field of a layer that each holds. */
export const SECOND_LISTS = {
  "lang_encoder.old_decoder_blocks.": "decoder_layer",
  "lang_encoder.gated_cross_attn_layers.": "gated_cross_attn_layer",
} as const;

/** The path of the language model's list of layers, with a dot: "lang_encoder.model.layers."; null for a model without layers. */
export function layersPath(names: Iterable<string>): string | null {
  for (const name of names) {
    const [, path] = /^(lang_encoder\..+?\.)\d+\.decoder_layer\./.exec(name) ?? [];
    if (path !== undefined) return path;
  }
  return null;
}

/** The name below the language model's list of layers for one below the other lists; other names as they are. */
function firstName(name: string, layers: string | null): string {
  for (const [list, field] of Object.entries(SECOND_LISTS)) {
    if (!name.startsWith(list) || layers === null) continue;
    const [number = "", ...rest] = name.slice(list.length).split(".");
    return `${layers}${number}.${field}.${rest.join(".")}`; // [checkpoints.second-names]
  }
  return name;
}

/** Parts of the language model's names in other releases and classes, and in the model. */
const OTHER_NAMES = Object.entries({ ...MOSAIC_GPT_NAMES, ...GPT_NEOX_5_NAMES }).map(([from, to]) => ({
  from: from.replaceAll("*", ""),
  to: to.replaceAll("*", ""),
}));

const otherNames = (name: string): string[] =>
  OTHER_NAMES.flatMap(({ from, to }) => (name.includes(from) ? [name.replace(from, () => to)] : [])); // [checkpoints.other-names]

const LATENTS = "perceiver.latents";

/** The prefix of the name of the resampler's latents. */
function prefixOf(keys: readonly string[]): string {
  const names = keys.map(withoutWrappers).filter((name) => name.endsWith(LATENTS));
  const [first = LATENTS] = names.sort((a, b) => a.length - b.length);
  const prefix = first.slice(0, -LATENTS.length);
  return prefix === "" || prefix.endsWith(".") ? prefix : "";
}

const CLIP = "vision_encoder.";
const TOWER = `${CLIP}visual.`;

/** The reasons for which a tensor of a checkpoint has no place in a model. */
export type Aside = "text tower of CLIP" | "buffer";

/** The model's name for a name of a checkpoint, or why it has none; null if it is unknown. */
export type Place = { readonly to: string } | { readonly aside: Aside } | null;

/** The names of one checkpoint, as those of one model. */
export class CheckpointNames {
  readonly #state: ReadonlySet<string>;
  readonly #layers: string | null;
  readonly #isBuffer: (name: string) => boolean;
  /** The prefix of all names, without the fields of wrappers; mostly empty. */
  readonly prefix: string;
  /** Whether the checkpoint has the whole of CLIP, as open-flamingo 0.1.1 keeps it, and not the image tower alone. */
  readonly wholeClip: boolean;

  constructor(state: Iterable<string>, keys: readonly string[], isBuffer: (name: string) => boolean) {
    this.#state = new Set(state);
    this.#layers = layersPath(this.#state);
    this.#isBuffer = isBuffer;
    this.prefix = prefixOf(keys);
    this.wholeClip = keys.some((key) => this.#bare(key).startsWith(TOWER));
  }

  /** A name without the fields of wrappers and without the prefix. */
  #bare(key: string): string {
    const name = withoutWrappers(key); // [checkpoints.wrappers]
    return name.startsWith(this.prefix) ? name.slice(this.prefix.length) : name;
  }

  placeOf(key: string): Place {
    const bare = this.#bare(key);
    if (this.wholeClip && bare.startsWith(CLIP) && !bare.startsWith(TOWER))
      return { aside: "text tower of CLIP" }; // [checkpoints.whole-clip]
    const tower = this.wholeClip && !this.#state.has(bare) ? bare.replace(TOWER, CLIP) : bare;
    const first = firstName(tower, this.#layers);
    const to = [first, ...otherNames(first)].find((name) => this.#state.has(name));
    if (to !== undefined) return { to };
    return first.startsWith("lang_encoder.") && this.#isBuffer(first) ? { aside: "buffer" } : null;
  }
}
