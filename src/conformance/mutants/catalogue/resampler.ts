// Position embeddings of images and frames, and calls of the resampler: mutants 26, 27, 30.
import { PerceiverResampler } from "../../../blocks/perceiver-resampler.ts";
import { FlamingoPaLM } from "../../../models/flamingo/flamingo-palm.ts";
import { rearrange, repeat, slice } from "../../../tensor/ops/arrange.ts";
import { expand } from "../../../tensor/ops/functions.ts";
import { named } from "../../../tensor/pattern.ts";
import type { Program } from "../../../tensor/program/program.ts";
import { Tensor } from "../../../tensor/tensor.ts";
import { type Change, type Context, changing, during, type Mutant } from "../mutant.ts";
import { type Found, join, modulesOf, userOf } from "../pattern-matchers.ts";

const FRAMES = /^video_frame_pos_emb$/;
const MEDIA = /(^|\.)media_pos_emb$/;

interface PositionEmbedding {
  /** The rows of the table that are used, the node that broadcasts them, and the sum with the features. */
  readonly used: Found<"slice">;
  readonly spread: number;
  readonly sum: number;
}

/** A change in the way positions are added. */
const embeddingPositions = (table: RegExp, change: (embedding: PositionEmbedding) => Change) =>
  changing(({ program }) =>
    Object.entries(program.leaves).flatMap(([name, leaf]) => {
      const used = table.test(name) ? userOf(program, "slice", leaf) : null;
      const spread = used && (userOf(program, "repeat", used.id) ?? userOf(program, "expand", used.id));
      const sum = spread && userOf(program, "add", spread.id);
      return used && spread && sum ? [change({ used, spread: spread.id, sum: sum.id })] : [];
    }),
  );

const omitted = ({ sum }: PositionEmbedding): Change => [sum, (features) => features];

/** The first row of the table in place of all that are used. */
const firstRow = ({ used }: PositionEmbedding): Change => [
  used.id,
  (table) => expand(slice(table, 0, 0, 1), new Tensor(used.node.shape)),
];

/** Frame positions by the image's number instead of the frame's. */
const framesByMedia = changing((context) => {
  const { program } = context;
  const leaf = program.leaves.video_frame_pos_emb;
  const used = leaf === undefined ? null : userOf(program, "slice", leaf);
  const spread = used && userOf(program, "repeat", used.id);
  const [b = 0, m = 0, f = 0, s = 0] = spread?.node.shape ?? [];
  const limit = program.nodes[leaf ?? 0]?.shape[0] ?? 0;
  if (!spread || leaf === undefined || m > limit) return [];
  return [
    [
      spread.id,
      (_, __, at) => repeat("m d -> b m f s d", named("m d", slice(at(leaf), 0, 0, m)), { b, f, s }),
    ] satisfies Change,
  ];
});

/** The call with another use of the resampler. */
function resampling(
  context: Context,
  use: (x: Tensor<"b m s d">, resample: PerceiverResampler["forward"]) => Tensor<"b m r d">,
): Program | null {
  const [found] = modulesOf(context, PerceiverResampler);
  if (!found) return null;
  const [path, resampler] = found;
  if (!(join(path, "latents") in context.program.leaves)) return null; // text alone: it does not run
  const resample: PerceiverResampler["forward"] = (x) =>
    PerceiverResampler.prototype.forward.call(resampler, x) as Tensor<"b m r d">;
  const forward = (x: Tensor<"b m s d"> | Tensor<"b s d">) =>
    use(
      named("b m s d", x.shape.length === 3 ? rearrange("b s d -> b 1 s d", named("b s d", x)) : x),
      resample,
    );
  return context.record((call) => during(resampler, "forward", forward, call));
}

const framesOf = ({ model, inputs: { videos } }: Context): number =>
  model instanceof FlamingoPaLM && videos instanceof Tensor ? (videos.shape[2] ?? 0) : 0;

export const resampler: readonly Mutant[] = [
  {
    id: "frame-position-omitted",
    number: 26,
    title: "Frames have no position",
    seenIn: "OpenFlamingo #301",
    needs: "a video of two frames",
    apply: embeddingPositions(FRAMES, omitted),
  },
  {
    id: "frame-position-of-image",
    number: 26,
    title: "Frame positions are counted along the videos of a prompt",
    seenIn: "OpenFlamingo #301",
    needs: "two videos of two frames",
    apply: framesByMedia,
  },
  {
    id: "frame-position-first",
    number: 26,
    title: "Every frame has the first frame's position",
    seenIn: "a Kosmos-1 port that gives the resampler tensors without the axis of images",
    needs: "a video of two frames",
    apply: embeddingPositions(FRAMES, firstRow),
  },
  {
    id: "image-position-omitted",
    number: 26,
    title: "Images have no position",
    seenIn: "flamingo-pytorch before commit 3707d58",
    needs: "a resampler",
    apply: embeddingPositions(MEDIA, omitted),
  },
  {
    id: "image-position-first",
    number: 26,
    title: "Every image has the first image's position",
    seenIn: "a Kosmos-1 port that gives the resampler tensors without the axis of images",
    needs: "two images",
    apply: embeddingPositions(MEDIA, firstRow),
  },
  {
    id: "frames-apart",
    number: 27,
    title: "Each frame is resampled by itself, and a video is all its frames' latents",
    seenIn: "flamingo-pytorch #8; forks of flamingo-mini",
    needs: "a video of two frames",
    apply: (context) => {
      const f = framesOf(context);
      if (f < 2) return null;
      return resampling(context, (x, resample) => {
        const { 0: b = 0 } = x.shape;
        const frames = rearrange("b m (f s) d -> (b f) m s d", named("b m (f s) d", x), { f });
        const latents = named("(b f) m r d", resample(named("b m s d", frames)));
        return named("b m r d", rearrange("(b f) m r d -> b m (f r) d", latents, { b }));
      });
    },
  },
  {
    id: "resampled-once",
    number: 30,
    title: "The resampler runs once over all images of a prompt, and its latents serve each",
    seenIn: "ports that flatten images before resampling",
    needs: "two images",
    apply: (context) =>
      resampling(context, (x, resample) => {
        const m = x.shape[1] ?? 1;
        const together = rearrange("b m s d -> b 1 (m s) d", x);
        const latents = rearrange("b 1 r d -> b r d", named("b 1 r d", resample(named("b m s d", together))));
        return repeat("b r d -> b m r d", latents, { m });
      }),
  },
  {
    id: "embeddings-not-resampled",
    number: 30,
    title: "Embeddings that are given go past the resampler",
    seenIn: "flamingo-pytorch before commit 3eea7f3",
    needs: "embeddings as input",
    apply: (context) =>
      context.inputs.embeds instanceof Tensor ? resampling(context, (x) => named("b m r d", x)) : null,
  },
];
