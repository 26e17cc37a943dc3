// Positions of the cross-attention blocks in the language model: mutants 31.
import { FlamingoPaLM, FlamingoPaLMLayer } from "../../../models/flamingo/flamingo-palm.ts";
import { named } from "../../../tensor/pattern.ts";
import type { Program } from "../../../tensor/program/program.ts";
import type { Tensor } from "../../../tensor/tensor.ts";
import { type Context, during, type Mutant } from "../mutant.ts";

type Layers = FlamingoPaLM["layers"];

/** The call with the same layers in another order. */
function rewired(context: Context, wire: (layers: Layers) => Layers | null): Program | null {
  const { model, inputs } = context;
  const media = inputs.images ?? inputs.videos ?? inputs.embeds;
  if (!(model instanceof FlamingoPaLM) || media === undefined) return null;
  const layers = wire(model.layers);
  return layers && context.record((call) => during(model, "layers", layers, call));
}

const crosses = (layers: Layers) => layers.flatMap(({ 1: cross }) => cross ?? []);

/** A layer's cross-attention without the block in front of it. */
const crossAlone = ({ 0: { fn }, 1: cross }: FlamingoPaLMLayer): FlamingoPaLMLayer => {
  const forward = (x: Tensor<"b l d">) => {
    const unread = named("b s k", x); // a forward pass without a cache uses neither keys nor values
    return { x, now: { k: unread, v: unread } };
  };
  return new FlamingoPaLMLayer({ fn, forward }, cross);
};

export const wiring: readonly Mutant[] = [
  {
    id: "every-nth-from-the-end",
    number: 31,
    title: "Cross-attention follows the layers with (i + 1) % n = 0 instead of i % n = 0",
    seenIn: "flamingo-pytorch against OpenFlamingo (#286)",
    needs: "every n-th layer with n ≥ 2, two layers",
    apply: (context) =>
      rewired(context, (layers) => {
        const second = layers.findIndex(({ 1: cross }, i) => i > 0 && cross);
        const n = second > 0 ? second : layers.length;
        const left = crosses(layers);
        if (n === 1) return null;
        return layers.map(
          ({ 0: block }, i) =>
            new FlamingoPaLMLayer(block, (i + 1) % n === 0 ? (left.shift() ?? null) : null),
        );
      }),
  },
  {
    id: "before-the-layer",
    number: 31,
    title: "Cross-attention comes before its layer and not after",
    seenIn: "flamingo-pytorch against OpenFlamingo and the paper",
    needs: "images and gates away from 0",
    apply: (context) =>
      rewired(context, (layers) => {
        const [first] = layers;
        if (!first) return null;
        const shifted = layers.map(
          ({ 0: block }, i) => new FlamingoPaLMLayer(block, layers[i + 1]?.[1] ?? null),
        );
        return [crossAlone(first), ...shifted];
      }),
  },
];
