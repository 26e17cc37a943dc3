// Builds the package with one line of its source changed, and checks golden cases with the result in a thread of its own, which frees the
// memory of the bundle when it ends.
import { existsSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { build } from "vite";
import { compileKernels } from "../../../.ci/kernels.mjs";
import type { BackendName, BrokenBuild } from "./change.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const entry = join(root, "spec/support/broken-builds/entry.ts");
/** The compiled kernels: a change of an AssemblyScript file changes this one. */
const COMPILED = "src/kernels/simd/bytes.ts";

type Change = Pick<BrokenBuild, "path" | "before" | "after">;

/** The text with its only occurrence of `before` replaced. Throws if there is none, or more than one. */
export function changed(text: string, { path, before, after }: Change): string {
  const [head = "", ...tail] = text.split(before);
  if (tail.length === 1) return head + after + tail[0];
  const times = `${tail.length} times, not once`;
  throw new Error(`${path} has the text of a broken build ${times}; update the build: ${before}`);
}

const read = (path: string): string => readFileSync(join(root, path), "utf8");

/** The file to replace and its new text. */
async function replacement(change: Change): Promise<readonly [path: string, text: string]> {
  const text = changed(read(change.path), change);
  if (!change.path.endsWith(".as.ts")) return [change.path, text];
  const source = (name: string): string | null => {
    if (name === change.path) return text;
    return existsSync(join(root, name)) ? read(name) : null;
  };
  const bytes = await compileKernels(source);
  return [COMPILED, `export const SIMD = "${bytes}";\nexport const RELAXED = "";\n`];
}

/** Bundles the package, changed or not, and writes the bundle to the file `to`. */
export async function built(change: Change | null, to: string): Promise<void> {
  const [path, text] = change ? await replacement(change) : [null, ""];
  let replaced = 0;
  const plugin = {
    name: "broken-build",
    load(id: string) {
      if (path === null || id !== join(root, path)) return null;
      replaced++;
      return text;
    },
  };
  const result = await build({
    root,
    configFile: false,
    logLevel: "silent",
    plugins: [plugin],
    ssr: { resolve: { conditions: ["source"] } },
    build: { ssr: entry, write: false, minify: false, rolldownOptions: { output: { codeSplitting: false } } },
  });
  if (change && replaced !== 1) throw new Error(`the bundle does not contain ${path}`);
  const [chunk] = "output" in result ? result.output : [];
  if (chunk?.type !== "chunk") throw new Error("vite made no bundle");
  writeFileSync(to, chunk.code);
  const packages = join(dirname(to), "node_modules"); // which the bundle imports
  if (!existsSync(packages)) symlinkSync(join(root, "node_modules"), packages, "junction");
}

/** The folders of cases that do not conform in the build of the file `bundle`. */
export const noticing = (
  bundle: string,
  folders: readonly string[],
  backendName: BackendName,
): Promise<string[]> =>
  new Promise((resolve, reject) => {
    const script = new URL("./noticing.mjs", import.meta.url);
    const worker = new Worker(script, { workerData: { bundle, folders, backendName }, execArgv: [] });
    worker.once("message", resolve);
    worker.once("error", reject);
    worker.once("exit", (status) => reject(new Error(`the thread ended with ${status}`)));
  });
