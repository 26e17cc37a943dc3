// State dicts to and from PyTorch. `write DIR`: ours, one file a model. `read DIR`: loads what PyTorch wrote, strictly,
// and writes it again as torch-NAME.again.safetensors, for PyTorch to compare bit for bit. Needs `npm run build`.
import { readFileSync } from "node:fs";
import { join } from "node:path";

const { initialize, loadSafetensors, loadStateDict, saveSafetensors, stateDict } = await import(
  "../../dist/index.js"
);
const { subjectOf } = await import("../../dist/conformance/sources/flamingo-pytorch.js");

const [task, folder] = process.argv.slice(2);
const models = JSON.parse(readFileSync(new URL("exchange.json", import.meta.url), "utf8"));
const profile = "flamingo-pytorch@0.1.2";

for (const { class: name, config } of models) {
  const { model } = subjectOf({ source: { class: name }, config, profile, flags: [], positional: [] });
  const path = (file) => join(folder, `${file}.safetensors`);
  if (task === "write") {
    saveSafetensors(path(name), stateDict(initialize(model, 1)), { floats: "F32" });
  } else {
    const file = loadSafetensors(path(`torch-${name}`));
    loadStateDict(model, new Map(file.keys.map((key) => [key, file.tensor(key)])));
    saveSafetensors(path(`torch-${name}.again`), stateDict(model), { floats: "F32" });
  }
}
