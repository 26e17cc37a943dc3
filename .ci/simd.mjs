// Compiles the SIMD kernels, with and without fused multiply-add, into a file of text that ships with the package. Where the file
// says that it was made from these very sources, nothing is done; --check compiles all the same, and compares.
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
const mark = hash.digest("hex").slice(0, 16);

const before = existsSync(target) ? readFileSync(target, "utf8") : "";
const check = process.argv.includes("--check");
if (check || !before.includes(mark)) {
  const text = `// Made from assembly/*.as.ts (${mark}) by .ci/simd.mjs; do not edit. Two modules in base64, so that nothing has to be fetched.

/** Fixed-width SIMD and threads: every engine of today. */
export const SIMD = "${await compile([])}";

/** The same kernels with relaxed SIMD's fused multiply-add. */
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
