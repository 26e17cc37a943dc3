// Golden cases notice broken builds: the package with one line of its source changed. Unlike the mutants of chapter 95, which rewrite a
// recorded program, these mistakes are in defaults, in refusals and in kernels.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { built, changed, noticing } from "../../support/broken-builds/build.ts";
import { cachesAndFrequencies } from "../../support/broken-builds/caches-and-frequencies.ts";
import type { BackendName, BrokenBuild } from "../../support/broken-builds/change.ts";
import { magneto } from "../../support/broken-builds/decoders/magneto.ts";
import { mosaicMpt } from "../../support/broken-builds/decoders/mosaic-mpt.ts";
import { optAndGptJ } from "../../support/broken-builds/decoders/opt-and-gptj.ts";
import { defaults } from "../../support/broken-builds/defaults.ts";
import { edges } from "../../support/broken-builds/edges.ts";
import { images } from "../../support/broken-builds/images.ts";
import { kernels } from "../../support/broken-builds/kernels.ts";
import { kosmosBuilds } from "../../support/broken-builds/kosmos.ts";
import { languageModels } from "../../support/broken-builds/language-models.ts";
import { folders } from "../../support/fixtures/temporary.ts";

const all: readonly BrokenBuild[] = [
  ...cachesAndFrequencies,
  ...defaults,
  ...edges,
  ...images,
  ...kernels,
  ...languageModels,
  ...optAndGptJ,
  ...mosaicMpt,
  ...magneto,
  ...kosmosBuilds,
];
const BACKENDS: readonly BackendName[] = ["float64", "float16", "simd", "gpu cpu"];

function folderOf(name: string): string {
  const found = [
    "flamingo-pytorch",
    "vit-pytorch",
    "transformers",
    "llm-foundry",
    "open-flamingo",
    "pillow",
    "torchvision",
    "torch",
    "torchscale",
    "torchscale-4d1e0e8",
    "kosmosx",
  ]
    .map((source) => join("golden/cases", source, name))
    .find((folder) => existsSync(folder));
  if (found === undefined) throw new Error(`there is no case ${name}`);
  return found;
}

/** Those of the cases that do not conform in a build. */
async function noticed(bundle: string, cases: readonly string[], backend: BackendName): Promise<string[]> {
  const found = new Set(await noticing(bundle, cases.map(folderOf), backend));
  return cases.filter((name) => found.has(folderOf(name)));
}

describe("broken builds", () => {
  const path = folders();
  const file = (): string => `${path()}.mjs`;

  test("the intact package conforms to every case that notices a broken build, on the same backend", async () => {
    const bundle = file();
    await built(null, bundle);
    for (const name of BACKENDS) {
      const cases = all.filter(({ backend = "float64" }) => backend === name).flatMap((one) => one.noticedBy);
      expect(cases.length).toBeGreaterThan(0);
      expect(await noticed(bundle, [...new Set(cases)], name)).toEqual([]);
    }
  });

  test.each(all.map((broken) => [broken.mistake, broken] as const))(
    "golden cases notice that %s",
    async (_, broken) => {
      const bundle = file();
      await built(broken, bundle);
      expect(broken.noticedBy.length).toBeGreaterThan(0);
      expect(await noticed(bundle, broken.noticedBy, broken.backend ?? "float64")).toEqual(broken.noticedBy);
    },
  );

  test("a change whose text does not occur exactly once in its file is an error", () => {
    const change = { path: "a.ts", before: "b", after: "c" };
    expect(changed("abd", change)).toBe("acd");
    for (const text of ["ad", "abdb"])
      expect(() => changed(text, change)).toThrow(
        /^a\.ts has the text of a broken build [02] times, not once/,
      );
  });
});
