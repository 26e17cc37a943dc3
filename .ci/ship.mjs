// Copies the golden cases that are marked "ship", the digits, the model trained on them and lists of labels into dist, for the npm package.
import { cpSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";

const [source, target] = ["golden/cases", "dist/golden/cases"];
rmSync(target, { recursive: true, force: true });
const manifests = readdirSync(source, { recursive: true }).filter((path) => path.endsWith("case.json"));
const shipped = manifests.filter(
  (path) => JSON.parse(readFileSync(join(source, path), "utf8")).ship === true,
);
for (const folder of shipped.map(dirname))
  cpSync(join(source, folder), join(target, folder), { recursive: true });
console.error(`${shipped.length} of ${manifests.length} golden cases are in the package`);
const labels = ["imagenet-1000", "kinetics-700"].map((name) => `data/perceiver-io/${name}.txt`);
for (const path of ["data/digits.safetensors", "models/digits.safetensors", ...labels])
  cpSync(join("golden", path), join("dist/golden", path)); // [digits.model-file]
