// Bundles a module as a user's build does, and counts what is left of the package.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "vite";

export interface Bundled {
  /** Bytes of minified code. */
  readonly bytes: number;
  /** The modules of the package with code in the bundle, as paths below dist. */
  readonly modules: readonly string[];
}

/** Bundles a source in a project with Vite and Rolldown; ndarray and ndarray-ops stay outside. */
export async function bundled(project: string, source: string): Promise<Bundled> {
  const entry = join(project, "import.js");
  writeFileSync(entry, source);
  const results = await build({
    root: project,
    configFile: false,
    logLevel: "silent",
    build: {
      write: false,
      minify: true,
      modulePreload: false,
      rolldownOptions: {
        input: entry,
        external: ["ndarray", "ndarray-ops"],
        preserveEntrySignatures: "strict",
        output: { format: "es" },
      },
    },
  });
  const [result] = [results].flat();
  const [chunk, ...more] = result && "output" in result ? result.output : [];
  if (chunk?.type !== "chunk" || more.length > 0) throw new Error("the bundle is not one script");
  const kept = Object.entries(chunk.modules).filter(([, { renderedLength }]) => renderedLength > 0);
  return {
    bytes: Buffer.byteLength(chunk.code),
    modules: kept.flatMap(([path]) => /\/dist\/(.*)$/.exec(path)?.[1] ?? []),
  };
}
