// The code that a bundler keeps of one import: minified, without ndarray and ndarray-ops, from the built package, imported by its name.
import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { repository } from "../support/architecture/tree.mjs";
import { temporary } from "../support/fixtures/temporary.ts";
import { bundled } from "../support/package/sizes.ts";

const project = temporary();
beforeAll(() => {
  mkdirSync(join(project, "node_modules"));
  symlinkSync(repository, join(project, "node_modules/flamboyance"), "junction");
});

/** Bytes that the import of a name may add to a page. */
const BOUNDS = [
  ["einsum", "flamboyance", 10_000],
  ["drawMask", "flamboyance/masks", 8_000],
  ["explainMask", "flamboyance/masks", 27_300],
  ["FlamingoPaLM", "flamboyance", 40_000],
] as const;

test.each(BOUNDS)("%s of %s is at most %i bytes of minified code", async (name, entry, most) => {
  const { bytes, modules } = await bundled(project, `export { ${name} } from "${entry}";`);
  console.log(`${name}: ${bytes} bytes of ${modules.length} modules`);
  expect(modules.length).toBeGreaterThan(5);
  expect(bytes).toBeGreaterThan(most / 2); // a measurement that finds too little measures nothing
  expect(bytes).toBeLessThanOrEqual(most);
});

test("an import brings no code that it does not use", async () => {
  const einsum = await bundled(project, 'export { einsum } from "flamboyance";');
  const others = /ops\/(elementwise|gather|windows|functions|rules|erf)\.js$|autodiff|kernels|nn\//;
  expect(einsum.modules.filter((path) => others.test(path))).toEqual([]);
  const model = await bundled(project, 'export { FlamingoPaLM } from "flamboyance";');
  const unused = /ops\/(rules|windows)\.js$|batch-norm|conventions\/(mllama|idefics|otter|conventions)\.js$/;
  expect(model.modules.filter((path) => unused.test(path))).toEqual([]);
  const drawing = await bundled(project, 'export { drawMask } from "flamboyance/masks";');
  expect(drawing.modules.filter((path) => /sentences|explain|difference/.test(path))).toEqual([]);
  const masks = await bundled(project, 'export * from "flamboyance/masks";');
  expect(masks.modules.filter((path) => !/^(masks|terminal|entries)\//.test(path))).toEqual([]);
});
