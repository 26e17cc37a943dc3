// npm run golden:export [-- …]: makes a fresh Python environment here and every golden case with it.
// npm run golden:verify: the same into a temporary folder, then compares it with what is committed.
// Further arguments go to export.py. PYTHON names the interpreter; --reuse keeps an environment that is there already.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL(".", import.meta.url));
const environment = join(here, ".venv");
const windows = process.platform === "win32";
const python = join(environment, windows ? "Scripts/python.exe" : "bin/python");
const [task, ...rest] = process.argv.slice(2);
const reuse = rest.includes("--reuse");
const more = rest.filter((word) => word !== "--reuse");

function run(command, ...words) {
  const shell = windows && command === "npm";
  const { status, error } = spawnSync(command, words, { stdio: "inherit", shell });
  if (error) console.error(`cannot run ${command}: ${error.message}`);
  if (status !== 0) process.exit(status ?? 2);
}

function makeEnvironment() {
  const since = Date.now();
  rmSync(environment, { recursive: true, force: true });
  const interpreter = process.env.PYTHON ?? (windows ? "python" : "python3");
  run(interpreter, "-m", "venv", environment);
  const pip = (...words) =>
    run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", ...words);
  console.log("installing PyTorch 2.13.0, then the rest");
  pip("torch==2.13.0", "-c", join(here, "requirements.txt"));
  pip("-r", join(here, "requirements.txt"));
  pip("--no-deps", "-r", join(here, "requirements-alone.txt"));
  console.log(`environment ready in ${Math.round((Date.now() - since) / 1000)} s`);
}

if (task !== "export" && task !== "verify") {
  console.error("usage: node golden/export/run.mjs export|verify [--reuse] [arguments of export.py]");
  process.exit(3);
}
if (!(reuse && existsSync(python))) makeEnvironment();
if (task === "export") run(python, join(here, "export.py"), ...more);
else {
  const committed = join(here, "..", "cases");
  const temporary = mkdtempSync(join(tmpdir(), "flamboyance-golden-"));
  process.on("exit", () => rmSync(temporary, { recursive: true, force: true }));
  process.on("SIGINT", () => process.exit(1)); // and tidy up
  run(python, join(here, "export.py"), "--out", join(temporary, "cases"), "--keep", committed, ...more);
  const partial = more.includes("--small") || more.includes("--only");
  if (!more.includes("--only"))
    run(python, join(here, "training.py"), "--out", join(temporary, "cases"), "--verify", committed);
  run("npm", "run", "--silent", "build");
  run(python, join(here, "exchange.py"));
  run(python, join(here, "verify.py"), committed, join(temporary, "cases"), ...(partial ? ["partial"] : []));
}
