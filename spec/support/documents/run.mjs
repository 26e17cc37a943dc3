// npm run test:docs [-- --full] [PAGE…]: runs the examples in documents, built before. With --full also those that need Python, with the environment of
// the flamingo-pytorch exporter, and SmolLM2, which `npm run fetch:smollm2` makes. Other options are vitest's.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { interpreter } from "../../../golden/export/environments.mjs";
import { defaultPlace, examineFolder } from "../../../golden/export/smollm2/folder/place.mjs";
import { repository } from "../architecture/tree.mjs";

const words = process.argv.slice(2);
const full = words.includes("--full");
const pages = words.filter((word) => word.endsWith(".md"));
const options = words.filter((word) => word !== "--full" && !pages.includes(word));
const env = { ...process.env };
if (pages.length > 0) env.DOCUMENTS_PAGES = pages.join(" ");
if (full) {
  const { kind } = await examineFolder(defaultPlace());
  if (kind !== "complete") {
    console.error("SmolLM2 is missing: npm run fetch:smollm2");
    process.exit(2);
  }
  env.DOCUMENTS = "full";
  env.DOCUMENTS_SMOLLM2 = defaultPlace();
  env.DOCUMENTS_PYTHON = interpreter(join(repository, "golden/export/flamingo_pytorch"), { reuse: true });
}
const vitest = join(repository, "node_modules/vitest/vitest.mjs");
const spec = "spec/repository/documents/94-examples.spec.ts";
const command = [vitest, "run", "--config", "spec/support/vitest.config.ts", spec, ...options];
process.exitCode =
  spawnSync(process.execPath, command, { cwd: repository, env, stdio: "inherit" }).status ?? 1;
