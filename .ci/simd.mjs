// Compiles the SIMD kernels, with and without fused multiply-add, into a TypeScript file that ships with the package. Does nothing if
// the file's hash matches the sources; with --check, compiles in any case and compares.
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { compileKernels, compilerSettings, FOLDER } from "./kernels.mjs";

const target = "src/kernels/simd/bytes.ts";
const sources = readdirSync(FOLDER)
  .filter((name) => name.endsWith(".as.ts"))
  .sort();
const hash = createHash("sha256").update(JSON.stringify(compilerSettings()));
for (const name of sources) hash.update(name).update(readFileSync(`${FOLDER}/${name}`));
const digest = hash.digest("hex").slice(0, 16);

const before = existsSync(target) ? readFileSync(target, "utf8") : "";
const check = process.argv.includes("--check");
if (check || !before.includes(digest)) {
  const read = (name) => (existsSync(name) ? readFileSync(name, "utf8") : null);
  const text = `// Compiled from assembly/*.as.ts (${digest}) by .ci/simd.mjs; do not edit. The modules are text so that no file has to be fetched.

/** The kernels with fixed-width SIMD and threads, which all current JavaScript engines support. */
export const SIMD: string = "${await compileKernels(read)}";

/** The same kernels with the fused multiply-add of relaxed SIMD. */
export const RELAXED: string = "${await compileKernels(read, ["--enable", "relaxed-simd"])}";
`;
  if (!check) writeFileSync(target, text);
  else if (before !== text) {
    console.error(`${target} is not what the sources compile to; run npm run build`);
    process.exitCode = 1;
  }
}
