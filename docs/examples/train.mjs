// Trains a tiny Flamingo to tell two images apart. Run with: node docs/examples/train.mjs
import { FlamingoPaLM, initialize, int, tensor } from "flamboyance";
import { adamw, crossEntropy, decayGroups, nextTokens, train, trainable } from "flamboyance/training";

const flamingo = new FlamingoPaLM({
  numTokens: 8,
  dim: 16,
  depth: 2,
  heads: 2,
  dimHead: 8,
  crossAttnEvery: 1,
  perceiverNumLatents: 2,
});
initialize(flamingo, 1);

// Token 3 stands for an image; the next token, 4 or 5, names the image. Each image is given as its embedding, one vector.
const text = int("b l", [
  [3, 4],
  [3, 5],
]);
const embeddings = [Math.sin, Math.cos].map((f) => Array.from({ length: 16 }, (_, i) => f(i)));
const embeds = tensor("b m s d", [2, 1, 1, 16], embeddings.flat());

const optimizer = adamw({
  groups: decayGroups(flamingo, trainable(flamingo, "open-flamingo")),
  learningRate: 3e-2,
});
const loss = () => crossEntropy(flamingo.forward(text, { embeds }), nextTokens(text)).mean;

const run = train({ model: flamingo, optimizer, loss, steps: 60, clipAt: 1 });
for await (const { step, loss } of run) {
  if (step % 15 === 0) console.log(`step ${step}   loss ${loss.toFixed(3)}`);
}
