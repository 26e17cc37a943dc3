// Compiles the SIMD kernels from AssemblyScript.
import { readFileSync } from "node:fs";

/** The folder of the AssemblyScript files. */
export const FOLDER = "src/kernels/simd/assembly";

const OPTIONS = [
  "-O3 --noAssert --runtime stub --use abort= --disableWarning",
  "--importMemory --sharedMemory --initialMemory 1 --maximumMemory 65536 --noExportMemory",
  "--enable simd --enable threads --enable bulk-memory",
].flatMap((line) => line.split(" "));

/** All that the result depends on, apart from the sources. */
export function compilerSettings() {
  const { version } = JSON.parse(readFileSync("node_modules/assemblyscript/package.json", "utf8"));
  return [version, OPTIONS];
}

/** The WebAssembly module in base64. `read` returns the text of a file, or null if there is none. */
export async function compileKernels(read, more = []) {
  const { default: asc } = await import("assemblyscript/asc");
  let bytes = new Uint8Array(0);
  const { error, stderr } = await asc.main([`${FOLDER}/work.as.ts`, "-o", "out.wasm", ...OPTIONS, ...more], {
    readFile: read,
    writeFile: (name, content) => {
      if (name === "out.wasm") bytes = content;
    },
    listFiles: () => [],
  });
  if (error) throw new Error(`${stderr}\n${error}`);
  return Buffer.from(bytes).toString("base64");
}
