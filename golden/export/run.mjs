// npm run golden:export | verify | status | exchange [-- …]: golden cases from the released packages; `--help` says more.
import { spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { changedParts, describeChanges, needsVerifying, verifyAndRecord } from "./digest.mjs";
import { interpreter, packagesFolder } from "./environments.mjs";
import {
  checkoutNeeded,
  environmentOf,
  examineCheckout,
  hasCaseFiles,
  ROOT,
  readSources,
  sourceNamed,
  sourcesWithCases,
  UsageError,
} from "./sources.mjs";

const HELP = `usage: npm run golden:TASK -- [options]

golden:export   makes a fresh Python environment and writes the cases to golden/cases
golden:verify   exports into a temporary folder and compares with the committed cases; a complete verification that succeeds
                records the source's digest in golden/export/NAME/verified.json
golden:status   tells which sources have changed since they were last verified
golden:exchange exchanges state dicts with the TypeScript models, in both directions, in an environment that may exist already

  --source NAME    one source, a folder of golden/export; may be repeated
  --all            every source
  --from FOLDER    a checkout of the source's repository, for a source that no package registry has
  --only PATTERN   the cases whose ids match (* and ?); may be repeated
  --small          no full-size cases
  --reuse          keep an environment that was made from the same requirements
  --cases FILE     export: case files of your own in place of the source's, with --out
  --out FOLDER     export: where the cases are written, in place of golden/cases
  --json           status: as JSON

Without --source and --all, verify takes the sources that need verifying, exchange those that have an exchange.json, and export those
that need no checkout.
PYTHON names the interpreter that makes the environments (3.11 or newer).`;

const OPTIONS = {
  source: { type: "string", multiple: true },
  all: { type: "boolean" },
  from: { type: "string" },
  only: { type: "string", multiple: true },
  small: { type: "boolean" },
  reuse: { type: "boolean" },
  cases: { type: "string", multiple: true },
  out: { type: "string" },
  json: { type: "boolean" },
  help: { type: "boolean" },
};

const sources = readSources();
const hasExchange = ({ folder }) => existsSync(join(folder, "exchange.json"));

/** The sources that the options ask for. */
function chosen(task, { source, all, only }) {
  if (source) return [...new Set(source)].map((name) => sourceNamed(name, sources));
  if (all || task === "status") return sources;
  if (only) {
    const found = sourcesWithCases(only, sources);
    if (found.length === 0) throw new UsageError(`no case matches ${only.join(" or ")}`);
    return found;
  }
  if (task === "exchange") return sources.filter(hasExchange);
  return task === "verify" ? sources.filter((one) => needsVerifying(one, sources)) : sources;
}

/** Splits the sources into those that can be exported here and those that need a checkout; those that were named must not. */
function available(found, values) {
  if (values.from !== undefined && found.length !== 1)
    throw new UsageError("--from goes with exactly one --source");
  const named = values.source !== undefined;
  for (const source of found)
    if (values.from !== undefined || (named && source.checkout !== null)) {
      const remark = examineCheckout(source, values.from);
      if (remark) console.log(remark);
    }
  const here = found.filter((source) => source.checkout === null || values.from !== undefined);
  return [here, found.filter((source) => !here.includes(source))];
}

/** Runs the exporter in the source's environment, showing its output; resolves to the exit status and the output. */
function runExporter(task, source, values) {
  const python = interpreter(environmentOf(source, sources), values);
  const words = ["-m", "golden.export.common.command", task, "--source", source.name];
  words.push("--packages", packagesFolder(source, values));
  if (values.from !== undefined) words.push("--from", values.from);
  if (values.small) words.push("--small");
  if (values.out !== undefined) words.push("--out", values.out);
  for (const name of ["only", "cases"]) if (values[name]) words.push(`--${name}`, ...values[name]);
  return new Promise((resolve) => {
    const env = { ...process.env, PYTHONDONTWRITEBYTECODE: "1" }; // a checkout stays as it is
    const child = spawn(python, words, { cwd: ROOT, env, stdio: ["ignore", "pipe", "inherit"] });
    let output = "";
    child.stdout.on("data", (text) => {
      output += text;
      process.stdout.write(text);
    });
    child.on("error", (error) => resolve({ status: 127, output: String(error) }));
    child.on("close", (status) => resolve({ status: status ?? 1, output }));
  });
}

/** { passed, failed } of one task; one that crashes has failed once. */
async function counted(task, source, values) {
  try {
    const { status, output } = await runExporter(task, source, values);
    const line = [...output.matchAll(/^(\d+) passed, (\d+) failed$/gm)].at(-1);
    const [passed, failed] = line ? [Number(line[1]), Number(line[2])] : [0, 0];
    return { passed, failed: status !== 0 && failed === 0 ? 1 : failed };
  } catch (error) {
    console.error(error.message);
    return { passed: 0, failed: 1 };
  }
}

function build() {
  const { status } = spawnSync("npm", ["run", "--silent", "build"], {
    cwd: ROOT,
    stdio: "inherit",
    shell: process.platform === "win32",
  });
  if (status !== 0) throw new Error("npm run build fails, and the exchange of state dicts needs it");
}

async function verify(found, values) {
  const complete = !values.only && !values.small;
  const total = { passed: 0, failed: 0 };
  for (const source of found) {
    const since = Date.now();
    const check = () => counted("verify", source, values);
    const result = complete ? await verifyAndRecord(source, sources, check) : await check();
    total.passed += result.passed;
    total.failed += result.failed;
    const seconds = Math.round((Date.now() - since) / 1000);
    console.log(`${source.name}: ${result.passed} passed, ${result.failed} failed in ${seconds} s`);
    if (complete && result.recorded) console.log(`${source.name}: the digest is recorded in verified.json`);
    if (complete && result.failed === 0 && !result.recorded)
      console.log(`${source.name}: files changed during the verification, so its digest was not recorded`);
  }
  return total;
}

async function exchange(found, values) {
  build();
  const total = { passed: 0, failed: 0 };
  for (const source of found.filter(hasExchange)) {
    const { passed, failed } = await counted("exchange", source, { ...values, reuse: true });
    total.passed += passed;
    total.failed += failed;
  }
  return total;
}

async function exportCases(found, values) {
  for (const source of found) {
    const { status } = await runExporter("export", source, values);
    if (status !== 0) throw new Error(`the export of ${source.name} fails`);
  }
}

function status(found, values) {
  const rows = found.map((source) => {
    const changed = changedParts(source, sources);
    const { name, checkout, minutes } = source;
    return { name, changed, checkout, minutes, small: hasCaseFiles(source) };
  });
  if (values.json) console.log(JSON.stringify(rows, null, 1));
  else for (const { name, changed } of rows) console.log(`${name} ${describeChanges(changed)}`);
}

async function main() {
  const [task, ...rest] = process.argv.slice(2);
  const { values } = parseArgs({ args: rest, options: OPTIONS });
  if (values.help || !["export", "verify", "status", "exchange"].includes(task)) {
    console.log(HELP);
    return values.help ? 0 : 3;
  }
  if (task !== "export" && (values.cases || values.out))
    throw new UsageError("--cases and --out go with export");
  if (values.cases && !(values.out && values.source?.length === 1))
    throw new UsageError("--cases goes with one --source, whose classes it uses, and with --out");
  const found = chosen(task, values);
  if (task === "status") {
    status(found, values);
    return 0;
  }
  const [here, absent] = available(found, values);
  for (const source of absent) console.log(`not exported again here: ${checkoutNeeded(source)}`);
  if (task === "export") {
    await exportCases(here, values);
    return 0;
  }
  if (here.length === 0) {
    console.log("no source needs verifying here; --all verifies every source");
    return 0;
  }
  const { passed, failed } = await (task === "exchange" ? exchange : verify)(here, values);
  console.log(`${passed} passed, ${failed} failed`);
  return failed === 0 && passed > 0 ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  const usage = error instanceof UsageError || error.code?.startsWith("ERR_PARSE_ARGS");
  console.error(error.message);
  process.exitCode = usage ? 3 : 2;
}
