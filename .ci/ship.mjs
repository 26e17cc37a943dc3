// Selects the golden cases of the npm package: writes golden/cases/.npmignore, which leaves out all but the cases marked "ship" and the
// exhaustive cases of masks.
// With --clean, removes it again.
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

const cases = "golden/cases";
const list = join(cases, ".npmignore");
if (process.argv.includes("--clean")) rmSync(list, { force: true });
else {
  const manifests = readdirSync(cases, { recursive: true })
    .map((path) => path.replaceAll("\\", "/"))
    .filter((path) => path.endsWith("/case.json"));
  const shipped = manifests.filter(
    (path) => JSON.parse(readFileSync(join(cases, path), "utf8")).ship === true,
  );
  const kept = shipped.map((path) => `!/${dirname(path)}/*`).sort();
  writeFileSync(list, `${["*", "!*/", "!/masks/*", ...kept].join("\n")}\n`);
  console.error(`${shipped.length} of ${manifests.length} golden cases are in the package`);
}
