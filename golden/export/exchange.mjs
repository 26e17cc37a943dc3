// Exchanges state dicts with PyTorch, for the models of a source's exchange.json:
//   node golden/export/exchange.mjs write FOLDER SOURCE   writes the TypeScript models' state dicts, one file a model
//   node golden/export/exchange.mjs read FOLDER SOURCE    loads strictly what PyTorch wrote as torch-CLASS.safetensors, and
//                                                         writes it again as torch-CLASS.again.safetensors
// common/exchange.py compares the files bit for bit. Needs `npm run build`.
import { readFileSync } from "node:fs";
import { join } from "node:path";

const { initialize, loadStateDict, stateDict } = await import("../../dist/index.js");
const { loadSafetensors, saveSafetensors } = await import("../../dist/entries/io.js");
const { systemUnderTest } = await import("../../dist/conformance/sources/registry.js");

const [task, folder, source] = process.argv.slice(2);
const {
  profile,
  package: name,
  models,
} = JSON.parse(readFileSync(new URL(`${source}/exchange.json`, import.meta.url), "utf8"));

for (const { class: kind, config } of models) {
  const source = { package: name, class: kind };
  const { model } = systemUnderTest({ id: `exchange of ${kind}`, source, config, profile });
  const path = (file) => join(folder, `${file}.safetensors`);
  if (task === "write") {
    saveSafetensors(path(kind), stateDict(initialize(model, 1)), { floats: "F32" });
  } else {
    const file = loadSafetensors(path(`torch-${kind}`));
    loadStateDict(model, new Map(file.keys.map((key) => [key, file.tensor(key)])));
    saveSafetensors(path(`torch-${kind}.again`), stateDict(model), { floats: "F32" });
  }
}
