// Copies the golden cases that are marked "ship" into dist, where the installed package looks for them, and with them the
// digits and the model that was trained on them.
import { cpSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";

const [from, to] = ["golden/cases", "dist/golden/cases"];
rmSync(to, { recursive: true, force: true });
const manifests = readdirSync(from, { recursive: true }).filter((path) => path.endsWith("case.json"));
const shipped = manifests.filter((path) => JSON.parse(readFileSync(join(from, path), "utf8")).ship === true);
for (const folder of shipped.map(dirname)) cpSync(join(from, folder), join(to, folder), { recursive: true });
console.error(`${shipped.length} of ${manifests.length} golden cases go with the package`);
for (const path of ["data/digits.safetensors", "models/digits.safetensors"])
  cpSync(join("golden", path), join("dist/golden", path)); // [digits.model-file]
