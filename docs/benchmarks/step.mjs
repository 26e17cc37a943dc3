// One training step of the README's FlamingoPaLM at depth 2, ours and PyTorch's, one after the other:
//   PYTHON=… node step.mjs        needs `npm run build` in the repository; PYTHON has torch, flamingo-pytorch and vit-pytorch
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const f = await import("../../dist/index.js");
const vit = { imageSize: 256, patchSize: 32, numClasses: 1000, dim: 1024, depth: 6, heads: 16, mlpDim: 2048 };
const imgEncoder = new f.Extractor(new f.ViT(vit));
const options = { numTokens: 20000, dim: 1024, depth: 2, heads: 8, dimHead: 64, imgEncoder };
const model = f.initialize(new f.FlamingoPaLM(options), 1);

const ids = Int32Array.from({ length: 4 * 512 }, (_, i) =>
  i % 512 === 5 || i % 512 === 200 ? 3 : 4 + ((i * 7919) % 19000),
);
const text = new f.Int([4, 512], ids);
const shape = [4, 2, 3, 256, 256];
const pixels = Float32Array.from({ length: 4 * 2 * 3 * 256 * 256 }, (_, i) => Math.sin(i));
const images = new f.Tensor(shape, f.view(pixels, shape));
const groups = f.decayGroups(model, f.trainable(model, "flamingo-pytorch@0.1.2"));
const optimizer = f.adamw({ groups, learningRate: 1e-4 });
const loss = () => f.crossEntropy(model.forward(text, { images }), f.nextTokens(text)).mean;

const median = (x) => [...x].sort((a, b) => a - b)[Math.floor(x.length / 2)];
const seconds = [];
let since = performance.now();
for await (const _ of f.train({ model, optimizer, loss, steps: 4, clipAt: 1, backend: await f.auto() })) {
  seconds.push((performance.now() - since) / 1000);
  since = performance.now();
}
const ours = median(seconds.slice(1));
console.log(
  `flamboyance ${ours.toFixed(2)} s a step (median of ${seconds.length - 1}, after one to warm up)`,
);

const script = fileURLToPath(new URL("peers/step.py", import.meta.url));
const { status, stdout } = spawnSync(process.env.PYTHON ?? "python3", [script], { encoding: "utf8" });
if (status === 0) {
  const theirs = Number(stdout);
  console.log(
    `PyTorch ${theirs.toFixed(2)} s a step: ours takes ${(ours / theirs).toFixed(2)} times as long`,
  );
} else console.log("PyTorch did not run: name an interpreter that has it as PYTHON");
process.exit(0);
