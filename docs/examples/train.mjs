// Twenty lines that train: a Flamingo learns which of two pictures it is shown. Run it with: node docs/examples/train.mjs
import {
  adamw,
  crossEntropy,
  decayGroups,
  FlamingoPaLM,
  initialize,
  int,
  nextTokens,
  tensor,
  train,
  trainable,
} from "flamboyance";

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

// Token 3 stands for an image; 4 or 5 says which of two it was. An image comes as what an encoder made of it: one vector here.
const text = int("b l", [
  [3, 4],
  [3, 5],
]);
const pictures = [
  Array(16)
    .fill(0)
    .map((_, i) => Math.sin(i)),
  Array(16)
    .fill(0)
    .map((_, i) => Math.cos(i)),
];
const embeds = tensor(
  "b m s d",
  pictures.map((picture) => [[picture]]),
);

const optimizer = adamw({
  groups: decayGroups(flamingo, trainable(flamingo, "open-flamingo")),
  learningRate: 3e-2,
});
const loss = () => crossEntropy(flamingo.forward(text, { embeds }), nextTokens(text)).mean;

for await (const { step, loss: now } of train({ model: flamingo, optimizer, loss, steps: 60, clipAt: 1 })) {
  if (step % 15 === 0) console.log(`step ${step}   loss ${now.toFixed(3)}`);
}
