// What a case runs: from a source's class, constructor arguments and inputs to our module. Names go from snake_case to
// camelCase; everything else is the same.

import { GatedCrossAttentionBlock } from "../../blocks/gated-cross-attention-block.ts";
import { MaskedCrossAttention } from "../../blocks/masked-cross-attention.ts";
import { ParallelTransformerBlock, SwiGLU } from "../../blocks/parallel-transformer-block.ts";
import { PerceiverAttention } from "../../blocks/perceiver-attention.ts";
import { PerceiverResampler } from "../../blocks/perceiver-resampler.ts";
import { FlamingoPaLM, type FlamingoPaLMOptions } from "../../models/flamingo/flamingo-palm.ts";
import type { ImageEncoder } from "../../models/flamingo/media.ts";
import { type FlamingoBehaviour, profiles } from "../../models/flamingo/profiles.ts";
import { Extractor, ViT, type ViTOptions } from "../../models/vision/vit.ts";
import { FeedForward } from "../../nn/feed-forward.ts";
import { PaLMLayerNorm } from "../../nn/norms/layer-norm.ts";
import { RotaryEmbedding } from "../../nn/positions/rotary.ts";
import { LoadError } from "../../tensor/errors.ts";
import { named } from "../../tensor/pattern.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { Arguments, type Input } from "./arguments.ts";

type Config = Readonly<Record<string, unknown>>;

/** A model and the call that a case makes of it. */
export interface SystemUnderTest {
  readonly model: object;
  readonly forward: (inputs: Readonly<Record<string, Input>>) => Tensor;
}

const camel = (name: string): string => name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
const camelKeys = (config: Config): Config =>
  Object.fromEntries(Object.entries(config).map(([key, value]) => [camel(key), value]));

type Build<M extends object> = (config: Config, behaviour: FlamingoBehaviour) => M;
type Builder = (
  config: Config,
  behaviour: FlamingoBehaviour,
  positional: readonly string[],
) => SystemUnderTest;
const subject =
  <M extends object>(build: Build<M>, call: (model: M, args: Arguments) => Tensor): Builder =>
  (config, behaviour, positional) => {
    const model = build(config, behaviour);
    return { model, forward: (inputs) => call(model, new Arguments(inputs, positional)) };
  };

/** Options of a constructor, trusted to be what the manifest says: the source's own arguments. */
const options = <O>(config: Config): O => camelKeys(config) as O;

const convention = (config: Config, { immediate, allPrevious }: FlamingoBehaviour) =>
  config.only_attend_immediate_media === false ? allPrevious : immediate;

const encoder = (config: unknown): ImageEncoder | null => {
  if (typeof config !== "object" || config === null) return null;
  const { class: name, ...rest } = config as Config;
  if (name === "ViT") return new Extractor(new ViT(options<ViTOptions>(rest)));
  if (name === "Identity") return { forward: (x) => named("b n d", x) };
  throw new LoadError(`no image encoder is called "${String(name)}"`);
};

const bcd = "b l d";
const subjects: Readonly<Record<string, Builder>> = {
  FeedForward: subject(
    (c) => new FeedForward(options(c)),
    (m, args) => m.forward(args.any("input")),
  ),
  LayerNorm: subject(
    (c) => new PaLMLayerNorm(Number(c.dim)),
    (m, args) => m.forward(args.any("x")),
  ),
  SwiGLU: subject(
    () => new SwiGLU(),
    (m, args) => m.forward(args.any("x")),
  ),
  RotaryEmbedding: subject(
    (c) => new RotaryEmbedding(Number(c.dim)),
    (m, args) => m.forward(args.number("max_seq_len")),
  ),
  PerceiverAttention: subject(
    (c) => new PerceiverAttention(options(c)),
    (m, args) => m.forward(args.tensor("x", "b m s d"), args.tensor("latents", "b m r d")),
  ),
  PerceiverResampler: subject(
    (c, { readmeCalls }) =>
      new PerceiverResampler({ ...options(c), acceptReadmeCalls: readmeCalls === "accept" }),
    (m, args) => m.forward(args.any("x")),
  ),
  MaskedCrossAttention: subject(
    (c, b) => new MaskedCrossAttention({ ...options(c), convention: convention(c, b) }),
    (m, args) =>
      m.forward(args.tensor("x", bcd), args.tensor("media", "b m r e"), { mediaLocations: args.locations() }),
  ),
  GatedCrossAttentionBlock: subject(
    (c, b) => new GatedCrossAttentionBlock({ ...options(c), convention: convention(c, b) }),
    (m, args) =>
      m.forward(args.tensor("x", bcd), args.tensor("media", "b m r e"), { mediaLocations: args.locations() }),
  ),
  ParallelTransformerBlock: subject(
    (c) => new ParallelTransformerBlock(options(c)),
    (m, args) => m.forward(args.tensor("x", bcd)),
  ),
  FlamingoPaLM: subject(
    (c, behaviour) =>
      new FlamingoPaLM({ ...options<FlamingoPaLMOptions>(c), imgEncoder: encoder(c.img_encoder), behaviour }),
    (m, args) =>
      m.forward(
        args.ids("text"),
        args.positional.includes("images")
          ? args.tensor("images", "b m c h w")
          : {
              images: args.optional("images", "b m c h w"),
              videos: args.optional("videos", "b m f c h w"),
              embeds: "embeds" in args.values ? args.any("embeds") : null,
            },
      ),
  ),
  ViT: subject(
    (c) => new ViT(options(c)),
    (m, args) => m.forward(args.tensor("img", "b c h w")),
  ),
  Extractor: subject(
    (c) => encoder(c.vit) as Extractor,
    (m, args) => m.forward(args.tensor("img", "b c h w")),
  ),
};

/** What a case says of its subject. */
interface Described {
  readonly source: { readonly class: string };
  readonly config: Config;
  readonly profile: string;
  readonly flags: readonly string[];
  readonly positional: readonly string[];
}

/** The release cannot take embeddings, for want of a name; these cases were made with that name supplied. */
const REPAIRED = "RepairedVideoName";

/** Builds what a case runs. */
export function systemUnderTest({ source, config, profile, flags, positional }: Described): SystemUnderTest {
  const build = subjects[source.class];
  if (!build) {
    throw new LoadError(
      `no class is called "${source.class}"; known are ${Object.keys(subjects).join(", ")}`,
    );
  }
  const behaviour = (profiles as Readonly<Record<string, FlamingoBehaviour>>)[profile];
  if (!behaviour) {
    throw new LoadError(`no profile is called "${profile}"; known are ${Object.keys(profiles).join(", ")}`);
  }
  return build(config, flags.includes(REPAIRED) ? { ...behaviour, embeds: "accept" } : behaviour, positional);
}
