// Missing and misplaced norms: mutants 19, 20.
import { MaskedCrossAttention } from "../../../blocks/masked-cross-attention.ts";
import { PerceiverAttention } from "../../../blocks/perceiver-attention.ts";
import { PerceiverResampler } from "../../../blocks/perceiver-resampler.ts";
import { normalize } from "../../../nn/norms/layer-norm.ts";
import { add } from "../../../tensor/ops/functions.ts";
import { apply } from "../../../tensor/ops/rules.ts";
import { type Change, type Context, changing, type Mutant } from "../mutant.ts";
import { join, linearOf, modulesOf, type Norm, normsOf, userOf } from "../pattern-matchers.ts";
import { concatOf, gates } from "./flamingo-parts.ts";

type Class = abstract new (...args: never[]) => object;

/** The norms in this field of the modules of a class. */
function normsIn(context: Context, type: Class, field: string): Norm[] {
  const paths = new Set(modulesOf(context, type).map(([path]) => join(path, field)));
  return normsOf(context.program).filter(({ path }) => paths.has(path));
}

const without = (type: Class, field: string) =>
  changing((context) =>
    normsIn(context, type, field).map(({ output, x }): Change => [output, (_, __, at) => at(x)]),
  );

export const norms: readonly Mutant[] = [
  {
    id: "latents-joined-raw",
    number: 19,
    title: "The keys hold the latents as they were before their norm",
    seenIn: "flamingo-pytorch #1",
    needs: "a resampler",
    apply: changing((context) =>
      normsIn(context, PerceiverAttention, "norm_latents").flatMap(({ path, x }): Change[] => {
        const joined = concatOf(context.program, path.replace(/\.?norm_latents$/, ""));
        return joined ? [[joined.id, (media, _, at) => apply("concat", joined.attrs, media, at(x))]] : [];
      }),
    ),
  },
  {
    id: "no-norm-media",
    number: 19,
    title: "The resampler's attention does not normalise the image",
    seenIn: "flamingo-pytorch before commit a1d2d3e, #1",
    needs: "a resampler",
    apply: without(PerceiverAttention, "norm_media"),
  },
  {
    id: "no-norm-latents",
    number: 19,
    title: "The resampler's attention does not normalise the latents",
    seenIn: "flamingo-pytorch before commit a1d2d3e, #1",
    needs: "a resampler",
    apply: without(PerceiverAttention, "norm_latents"),
  },
  {
    id: "no-final-norm",
    number: 19,
    title: "The resampler's result is not normalised",
    seenIn: "flamingo-pytorch before commit a1d2d3e, #1",
    needs: "a whole resampler",
    apply: without(PerceiverResampler, "norm"),
  },
  {
    id: "no-norm-text",
    number: 19,
    title: "Cross-attention does not normalise the text",
    seenIn: "flamingo-pytorch before commit a1d2d3e",
    needs: "a cross-attention",
    apply: without(MaskedCrossAttention, "norm"),
  },
  {
    id: "media-normalised-again",
    number: 20,
    title: "Cross-attention normalises the media too",
    seenIn: "esceptico/perceiver-io #5, #8 (norms before and after confused)",
    needs: "a cross-attention",
    apply: changing((context) =>
      modulesOf(context, MaskedCrossAttention).flatMap(([path]): Change[] => {
        const linear = linearOf(context.program, join(path, "to_kv.weight"));
        return linear
          ? [[linear.id, (media, weight) => apply("einsum", linear.attrs, normalize(media), weight)]]
          : [];
      }),
    ),
  },
  {
    id: "residual-from-norm",
    number: 20,
    title: "The block adds its attention to the normalised text",
    seenIn: "norms before and after confused",
    needs: "a whole block",
    apply: changing((context) =>
      gates(context.program).flatMap(({ name, path, sum }): Change[] => {
        const [norm] = normsIn(context, MaskedCrossAttention, "norm").filter(
          (n) => n.path === join(path, "attn.norm"),
        );
        return norm && name === "attn_gate"
          ? [[sum.id, (attended, _, at) => add(attended, at(norm.output))]]
          : [];
      }),
    ),
  },
  {
    id: "latents-from-norm",
    number: 20,
    title: "The resampler adds its attention to the normalised latents",
    seenIn: "norms before and after confused",
    needs: "a whole resampler",
    apply: changing((context) =>
      normsIn(context, PerceiverAttention, "norm_latents").flatMap(({ path, output }): Change[] => {
        const attended = context.program.taps[path.replace(/\.?norm_latents$/, "")];
        const sum = attended === undefined ? null : userOf(context.program, "add", attended);
        return sum ? [[sum.id, (x, _, at) => add(x, at(output))]] : [];
      }),
    ),
  },
];
