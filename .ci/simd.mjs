// Compiles the SIMD kernels, with and without fused multiply-add, into a module of text that ships with the package.
import { readFileSync, writeFileSync } from "node:fs";
import asc from "assemblyscript/asc";

const [entry, target] = ["src/kernels/simd/work.as.ts", "src/kernels/simd/bytes.ts"];
const OPTIONS = [
  "-O3 --noAssert --runtime stub --use abort= --disableWarning",
  "--importMemory --sharedMemory --initialMemory 1 --maximumMemory 65536 --noExportMemory",
  "--enable simd --enable threads --enable bulk-memory",
].flatMap((line) => line.split(" "));

async function compile(more) {
  let bytes;
  const { error, stderr } = await asc.main([entry, "-o", "out.wasm", ...OPTIONS, ...more], {
    readFile: (name) => {
      try {
        return readFileSync(name, "utf8");
      } catch {
        return null;
      }
    },
    writeFile: (name, content) => {
      if (name === "out.wasm") bytes = content;
    },
    listFiles: () => [],
  });
  if (error) throw new Error(`${stderr}\n${error}`);
  return Buffer.from(bytes).toString("base64");
}

const text = `// Made from *.as.ts by .ci/simd.mjs; do not edit. Two modules in base64, so that nothing has to be fetched.

/** Fixed-width SIMD and threads: every engine of today. */
export const SIMD = "${await compile([])}";

/** The same kernels with relaxed SIMD's fused multiply-add. */
export const RELAXED = "${await compile(["--enable", "relaxed-simd"])}";
`;
let before = "";
try {
  before = readFileSync(target, "utf8");
} catch {}
if (process.argv.includes("--check")) process.exitCode = before === text ? 0 : 1;
else if (before !== text) writeFileSync(target, text);
