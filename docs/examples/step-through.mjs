// One small Flamingo computed twice, by the library and by flamingo-as-loops.mjs, with nothing between them and a debugger.
// Run with: node docs/examples/step-through.mjs
import { FlamingoPaLM, initialize, int, stateDict, tensor } from "flamboyance";
import { flamingo } from "./flamingo-as-loops.mjs";

const sizes = {
  numTokens: 20,
  dim: 8,
  depth: 2,
  heads: 2,
  dimHead: 4,
  perceiverNumLatents: 2,
  perceiverDepth: 1,
};
const model = initialize(new FlamingoPaLM(sizes), 1);
for (const [name, weight] of stateDict(model))
  if (name.endsWith("_gate")) weight.assign(tensor("1", [1], [0.5]).data); // open gates

const ids = [5, 3, 7, 3, 9]; // text <image> text <image> text
const numbers = Array.from({ length: 2 * 6 * 8 }, (_, i) => Math.sin(i)); // two images of six features of eight numbers

const fromLibrary = model.forward(int("b l", [ids]), { embeds: tensor("b m s d", [1, 2, 6, 8], numbers) });

/** A tensor as nested arrays. */
const nested = (values, [size, ...rest]) =>
  size === undefined
    ? values[0]
    : Array.from({ length: size }, (_, i) => {
        const part = values.length / size;
        return nested(values.slice(i * part, (i + 1) * part), rest);
      });
const weights = Object.fromEntries(
  [...stateDict(model)].map(([name, t]) => [name, nested(t.flat(), t.shape)]),
);

const fromLoops = flamingo(weights, ids, nested(numbers, [2, 6, 8]), {
  depth: 2,
  heads: 2,
  dimHead: 4,
  every: 3,
  perceiverDepth: 1,
  mediaTokenId: 3,
  rule: { lastOnly: true, empty: "zero", zeroBefore: false }, // "immediate"
});

const [expected, actual] = [fromLoops.flat(), fromLibrary.flat()];
const difference = Math.max(...expected.map((value, i) => Math.abs(value - actual[i])));
console.log(`logits: ${fromLoops.length} tokens × ${fromLoops[0].length}`);
console.log(`largest difference below 1e-12: ${difference < 1e-12}`);
