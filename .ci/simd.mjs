// Compiles the SIMD kernels, with and without fused multiply-add, into a TypeScript file that ships with the package. Does nothing if
// the file's hash matches the sources; with --check, compiles in any case and compares.
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";

const [folder, target] = ["src/kernels/simd/assembly", "src/kernels/simd/bytes.ts"];
const OPTIONS = [
  "-O3 --noAssert --runtime stub --use abort= --disableWarning",
  "--importMemory --sharedMemory --initialMemory 1 --maximumMemory 65536 --noExportMemory",
  "--enable simd --enable threads --enable bulk-memory",
].flatMap((line) => line.split(" "));

const sources = readdirSync(folder)
  .filter((name) => name.endsWith(".as.ts"))
  .sort();
const { version } = JSON.parse(readFileSync("node_modules/assemblyscript/package.json", "utf8"));
const hash = createHash("sha256").update(JSON.stringify([version, OPTIONS]));
for (const name of sources) hash.update(name).update(readFileSync(`${folder}/${name}`));
const digest = hash.digest("hex").slice(0, 16);

const before = existsSync(target) ? readFileSync(target, "utf8") : "";
const check = process.argv.includes("--check");
if (check || !before.includes(digest)) {
  const text = `// Compiled from assembly/*.as.ts (${digest}) by .ci/simd.mjs; do not edit. The modules are text so that no file has to be fetched.

/** The kernels with fixed-width SIMD and threads, which all current JavaScript engines support. */
export const SIMD = "${await compile([])}";

/** The same kernels with the fused multiply-add of relaxed SIMD. */
export const RELAXED = "${await compile(["--enable", "relaxed-simd"])}";
`;
  if (!check) writeFileSync(target, text);
  else if (before !== text) {
    console.error(`${target} is not what the sources compile to; run npm run build`);
    process.exitCode = 1;
  }
}

async function compile(more) {
  const { default: asc } = await import("assemblyscript/asc");
  const read = (name) => (existsSync(name) ? readFileSync(name, "utf8") : null);
  let bytes = new Uint8Array(0);
  const { error, stderr } = await asc.main([`${folder}/work.as.ts`, "-o", "out.wasm", ...OPTIONS, ...more], {
    readFile: read,
    writeFile: (name, content) => {
      if (name === "out.wasm") bytes = content;
    },
    listFiles: () => [],
  });
  if (error) throw new Error(`${stderr}\n${error}`);
  return Buffer.from(bytes).toString("base64");
}
