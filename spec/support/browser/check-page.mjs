// Checks golden cases in Chromium, in a mode of gpu.js that needs a graphics card, real or software-rendered:
//   node spec/support/browser/check-page.mjs --mode webgpu [--some] [--real] [PATH…]
//   node spec/support/browser/check-page.mjs --mode webgpu --rates 256,512 [--real]
// --some: every op, module and block case and one model. --real: use the machine's graphics card. --rates: measure products n × n × n and
// attention over n tokens instead. Writes one document to stdout, in the format of `flamboyance check --json`.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { bundle, openPage, startChromium } from "./chromium.mjs";

const root = fileURLToPath(new URL("../../..", import.meta.url));
process.chdir(root);
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    mode: { type: "string", default: "webgpu" },
    some: { type: "boolean", default: false },
    real: { type: "boolean", default: false },
    rates: { type: "string" },
  },
});
if (!["webgl2", "webgpu"].includes(values.mode)) throw new Error("--mode is webgl2 or webgpu");

const THE_MODEL = "flamingo-palm--images";
const read = (folder) => JSON.parse(readFileSync(join(folder, "case.json"), "utf8"));
function casesBelow(path) {
  return readdirSync(path, { recursive: true })
    .filter((file) => file.endsWith("case.json"))
    .map((file) => relative(root, join(root, path, dirname(file))))
    .sort();
}
const selected = (positionals.length > 0 ? positionals : ["golden/cases"])
  .flatMap(casesBelow)
  .filter((folder) => {
    const { full, level } = read(folder);
    if (full === true && !positionals.includes(folder)) return false;
    return !values.some || level !== "model" || folder.endsWith(`/${THE_MODEL}`);
  });

const browser = await startChromium({ real: values.real });
const verdicts = [];
try {
  const page = await openPage(browser, await bundle("spec/support/kernels/gpu/page.ts"));
  page.on("console", (message) => {
    if (message.type() === "error") process.stderr.write(`page: ${message.text()}\n`);
  });
  for (const n of values.rates?.split(",").map(Number) ?? []) {
    const rates = await page.evaluate(([mode, n]) => globalThis.page.rates(mode, n), [values.mode, n]);
    process.stdout.write(`${JSON.stringify({ mode: values.mode, ...rates })}\n`);
  }
  for (const folder of values.rates === undefined ? selected : []) {
    const verdict = await page.evaluate(
      ([mode, path, files]) =>
        globalThis.page.checkFolder(mode, path, files).catch((error) => ({
          id: path,
          status: "errored",
          rows: 0,
          error: String(error),
          kernels: null,
        })),
      [values.mode, folder, readdirSync(folder)],
    );
    verdicts.push(verdict);
    process.stderr.write(`${verdict.status.padEnd(8)} ${verdict.id}\n`);
  }
} finally {
  await browser.close();
}

if (values.rates !== undefined) process.exit(0);
const count = (status) => verdicts.filter((verdict) => verdict.status === status).length;
const kernels = { matmul: 0, attention: 0, fallback: 0, mode: values.mode };
for (const { kernels: ran } of verdicts) {
  for (const key of ["matmul", "attention", "fallback"]) kernels[key] += ran?.[key] ?? 0;
  if (ran && ran.mode !== values.mode) kernels.mode = ran.mode;
}
const summary = {
  cases: verdicts.length,
  rows: verdicts.reduce((sum, { rows }) => sum + rows, 0),
  passed: count("passed"),
  failed: count("failed"),
  errored: count("errored"),
  skipped: count("skipped"),
};
process.stdout.write(`${JSON.stringify({ summary, kernels, cases: verdicts })}\n`);
const clean = verdicts.every(({ left = 0 }) => left === 0); // a case must not leave buffers on the card
const valid =
  summary.cases > 0 && kernels.fallback === 0 && kernels.matmul > 0 && kernels.mode === values.mode && clean;
process.exitCode = summary.errored > 0 || !valid ? 2 : summary.failed > 0 ? 1 : 0;
