// Seconds of one training step of the README's FlamingoPaLM at depth 2, in flamboyance and then in PyTorch:
//   PYTHON=… node step.mjs        needs `npm run build` in the repository; PYTHON has torch, flamingo-pytorch and vit-pytorch
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { README_FLAMINGO, README_VIT } from "../../dist/bench/examples.js";
import { median } from "../../dist/bench/timing.js";

const f = await import("../../dist/index.js");
const t = await import("../../dist/entries/training.js");
const imgEncoder = new f.Extractor(new f.ViT(README_VIT));
const { numTokens, dim, heads, dimHead } = README_FLAMINGO;
const model = f.initialize(new f.FlamingoPaLM({ numTokens, dim, depth: 2, heads, dimHead, imgEncoder }), 1);

const ids = Int32Array.from({ length: 4 * 512 }, (_, i) =>
  i % 512 === 5 || i % 512 === 200 ? 3 : 4 + ((i * 7919) % 19000),
);
const text = new f.Int([4, 512], ids);
const shape = [4, 2, 3, 256, 256];
const pixels = Float32Array.from({ length: 4 * 2 * 3 * 256 * 256 }, (_, i) => Math.sin(i));
const images = f.tensor("b m c h w", shape, pixels);
const groups = t.decayGroups(model, t.trainable(model, "flamingo-pytorch@0.1.2"));
const optimizer = t.adamw({ groups, learningRate: 1e-4 });
const loss = () => t.crossEntropy(model.forward(text, { images }), t.nextTokens(text)).mean;

const seconds = [];
let since = performance.now();
for await (const _ of t.train({ model, optimizer, loss, steps: 4, clipAt: 1, backend: await f.auto() })) {
  seconds.push((performance.now() - since) / 1000);
  since = performance.now();
}
const ours = median(seconds.slice(1));
console.log(
  `flamboyance: ${ours.toFixed(2)} s a step (median of ${seconds.length - 1} after one that is not counted)`,
);

const script = fileURLToPath(new URL("peers/step.py", import.meta.url));
const { status, stdout } = spawnSync(process.env.PYTHON ?? "python3", [script], { encoding: "utf8" });
if (status === 0) {
  const torch = Number(stdout);
  console.log(
    `PyTorch: ${torch.toFixed(2)} s a step; flamboyance takes ${(ours / torch).toFixed(2)} times as long`,
  );
} else console.log("PyTorch did not run: set PYTHON to an interpreter that has it");
process.exit(0);
