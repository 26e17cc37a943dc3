// Copies the golden cases that are marked "ship" into dist, where the installed package looks for them.
import { cpSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";

const [from, to] = ["golden/cases", "dist/golden/cases"];
rmSync(to, { recursive: true, force: true });
const manifests = readdirSync(from, { recursive: true }).filter((path) => path.endsWith("case.json"));
const shipped = manifests.filter((path) => JSON.parse(readFileSync(join(from, path), "utf8")).ship === true); // [package.cases]
for (const folder of shipped.map(dirname)) cpSync(join(from, folder), join(to, folder), { recursive: true });
console.error(`${shipped.length} of ${manifests.length} golden cases go with the package`);
