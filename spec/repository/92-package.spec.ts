// The executable half of 92-package.md. It packs and installs the package, which takes about ten seconds.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createContext, runInContext } from "node:vm";
import { beforeAll, describe, expect, test } from "vitest";
import { TURBO } from "../../src/io/images/jpeg/bytes.ts";
import { repository } from "../support/architecture/tree.mjs";
import jpegs from "../support/fixtures/images/jpeg.json" with { type: "json" };
import pngs from "../support/fixtures/images/png.json" with { type: "json" };
import { temporary } from "../support/fixtures/temporary.ts";
import {
  brokenSourceMaps,
  bytesBelow,
  installInto,
  lockfileProblems,
  markedForShipping,
  outputOf,
  type Packed,
  packagesIn,
  packInto,
  unexpectedPaths,
} from "../support/package/packed.ts";
import { brokenLinks, casesIn, commandsIn, messagesOf, missingPaths } from "../support/package/paths.ts";
import {
  bundlePage,
  compile,
  firstPage,
  inNode,
  lint,
  npx,
  runLine,
  withoutDependencies,
} from "../support/package/used.ts";

const MEGABYTE = 1e6;
const folder = temporary();
const project = join(folder, "project");
const installed = join(project, "node_modules/flamboyance");
let packed: Packed;

const guides = readdirSync(join(repository, "docs/guides")).filter((name) => name.endsWith(".md"));
/** The README and the guides. */
const introductions = ["README.md", ...guides.map((name) => `docs/guides/${name}`)].map(
  (path): [string, string] => [path, readFileSync(join(repository, path), "utf8")],
);
const shipped = () => markedForShipping(new Set(introductions.flatMap(([, text]) => casesIn(text))));

beforeAll(() => {
  packed = packInto(folder);
  installInto(project, packed.tarball);
}, 240_000);

test("the package holds the expected files only", () => {
  expect(unexpectedPaths(packed.paths)).toEqual([]);
  const needed = [
    "dist/index.js",
    "dist/index.d.ts",
    "dist/cli/main.js",
    "src/index.ts",
    "golden/FORMAT.md",
    "golden/COVERAGE.md",
    "golden/adapters/probe.py",
    "docs/README.md",
    "docs/guides/30-training-flow.png",
    "spec/masks/20-masks.md",
    "spec/masks/20-masks.spec.ts",
    "spec/support/oracles/ops.ts",
    "LICENSE",
  ];
  expect(needed.filter((path) => !packed.paths.includes(path))).toEqual([]);
  expect(packed.unpackedSize).toBeLessThan(25 * MEGABYTE);
  const unexpected = [
    "spec/a.ts",
    "spec/support/a.spec.ts",
    "docs/benchmarks/node_modules/a/README.md",
    "src/web/a.ts",
    "src/kernels/simd/assembly/a.as.ts",
    "src/a.json",
    "dist/a.test.ts",
    "golden/export/a.py",
    "golden/cases/a/case.json",
    "golden/cases/.npmignore",
    "golden/cases/a/b/training.json",
    ".env",
  ];
  expect(unexpectedPaths([...unexpected, "src/a/b.ts"])).toEqual(unexpected);
});

test("every source map leads to its source", () => {
  expect(packed.paths.filter((path) => path.endsWith(".js.map")).length).toBeGreaterThan(50);
  expect(brokenSourceMaps(installed, packed.paths)).toEqual([]);
  const without = packed.paths.filter((path) => path !== "src/index.ts");
  expect(brokenSourceMaps(installed, without)).toEqual(["dist/index.d.ts.map", "dist/index.js.map"]);
});

test("exactly the golden cases that are marked, or that the README or a guide names, are in the package, complete", () => {
  const prefix = "golden/cases/";
  const found = packed.paths
    .filter((path) => path.startsWith(prefix))
    .map((path) => path.slice(prefix.length));
  const masks = ["masks/masks.json", "masks/rows.safetensors"];
  expect(found.sort()).toEqual([...shipped(), ...masks].sort());
  expect(found.length).toBeGreaterThan(50);
});

test("it installs at most 12 packages, 5,200 files and 27 MB", () => {
  const installed = packagesIn(project);
  expect(installed).toContain("flamboyance");
  expect(installed.length).toBeLessThanOrEqual(12);
  const modules = join(project, "node_modules");
  const files = readdirSync(modules, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  expect(files.length).toBeLessThanOrEqual(5200);
  expect(bytesBelow(modules)).toBeLessThan(27 * MEGABYTE);
});

test("publint and attw find nothing to mend", () => {
  const { status, stdout } = lint(packed.tarball, "publint", "--strict");
  expect([status, stdout]).toEqual([0, expect.stringContaining("All good!")]);
  // esm-only: leaves out require() and moduleResolution node10, which knows no "exports"; this package has neither.
  const types = lint(packed.tarball, "attw", "--profile", "esm-only", "--format", "json");
  const { entrypoints, problems } = JSON.parse(types.stdout).analysis;
  expect([types.status, types.stderr]).toEqual([0, ""]);
  expect(Object.keys(entrypoints).sort()).toEqual(Object.keys(json("package.json").exports).sort());
  const modes = problems.map(({ resolutionKind }: { resolutionKind: string }) => resolutionKind);
  expect([...new Set(modes)].sort()).toEqual(["node10", "node16-cjs"]);
}, 300_000);

test("every entry can be imported in Node", () => {
  const source = `
    import { reference, run, softmax, tensor } from "flamboyance";
    import { MaskedCrossAttention } from "flamboyance/nn";
    import { conventions, mediaMask } from "flamboyance/masks";
    import { gpu } from "flamboyance/gpu";
    const half = await run(reference("float32"), () => softmax(tensor("a b", [[0, 0]])));
    const error = await gpu().catch(({ name, message }) => name + ": " + message);
    const locations = { shape: [1, 2], data: Uint8Array.of(0, 1) };
    const mask = mediaMask(locations, 1, conventions.immediate).data;
    console.log(JSON.stringify([[...half.flat()], typeof MaskedCrossAttention, [...mask], error]));`;
  const [half, kind, mask, error] = inNode(project, source) as [number[], string, number[], string];
  expect([half, kind, mask]).toEqual([[0.5, 0.5], "function", [0, 1]]);
  expect(error).toMatch(/^LoadError: .*npm install gpu\.js@/);
});

test("flamboyance/masks needs no other package", () => {
  const alone = withoutDependencies(join(folder, "alone"), installed);
  const source = (entry: string) =>
    `import * as all from "${entry}"; console.log(JSON.stringify(Object.keys(all).includes("drawMask")));`;
  expect(inNode(alone, source("flamboyance/masks"))).toBe(true);
  expect(() => inNode(alone, source("flamboyance"))).toThrow(/Cannot find package '(ndarray|ndarray-ops)'/);
});

test("npx flamboyance check checks the shipped cases", () => {
  const { status, stdout, stderr } = npx(project, "check", "--json");
  expect([status, stderr.replace(/^npm warn.*\n/gm, "")]).toEqual([0, ""]);
  const { summary, masks } = JSON.parse(stdout);
  const cases = shipped().filter((path) => path.endsWith("/case.json")).length;
  expect(summary).toMatchObject({ cases, passed: cases, failed: 0, errored: 0, skipped: 0 });
  expect(masks).toMatchObject({ disagreements: 0 });
});

describe("in an empty folder with the package", () => {
  const readme = readFileSync(join(repository, "README.md"), "utf8");
  /** The commands of the first block, with the comment above each. */
  const promised = (/^```sh\n([\s\S]*?)^```/m.exec(readme)?.[1] ?? "").split("\n").filter(Boolean);
  const commandsOf = (user: string) => {
    const at = promised.findIndex((line) => line.startsWith(`# ${user}`));
    const rest = promised.slice(at + 1);
    const end = rest.findIndex((line) => line.startsWith("#"));
    return at < 0 ? [] : rest.slice(0, end < 0 ? rest.length : end);
  };
  const runs = (line: string) => outputOf(runLine(project, line));

  test("the README promises at most two commands to each of three users", () => {
    expect(promised[0]).toMatch(/^npm install flamboyance( |$)/);
    for (const user of ["Read", "Debug a mask", "Test"]) expect([1, 2]).toContain(commandsOf(user).length);
  });

  test("the reader's commands run", () => {
    for (const line of commandsOf("Read")) expect(runs(line)).toMatch(/below 1e-12: true/);
  });

  test("the porter's commands run, and leave a kit", () => {
    const outputs = commandsOf("Test").map(runs);
    expect(outputs.at(-1)).toMatch(/\n(\d+) of \1 cases conform/);
    const kit = readdirSync(join(project, "kit")).sort();
    expect(kit).toEqual(["COVERAGE.md", "FORMAT.md", "adapters", "cases"]);
  });

  test("the mask debugger's commands run", async () => {
    const [draw = "", serve = ""] = commandsOf("Debug a mask");
    expect(runs(draw)).toMatch(/\[image 1\][\s\S]*attends/);
    expect(serve).toBe("npx flamboyance inspect");
    const page = await firstPage(project, "node_modules/flamboyance/dist/cli/main.js", "inspect");
    expect(page).toContain("<html");
  });

  test("every link of a document leads to a file of the package", () => {
    expect(packed.paths.filter((path) => path.endsWith(".md")).length).toBeGreaterThan(150);
    expect(brokenLinks(installed, packed.paths)).toEqual([]);
    const without = join(folder, "without");
    mkdirSync(without);
    writeFileSync(join(without, "a.md"), "# A b\n[x](b.md) [y](#a-b) [z](#c) [w](../a.md) `[v](c.md)`\n");
    expect(brokenLinks(without, ["a.md"])).toEqual(["a.md: b.md", "a.md: #c", "a.md: ../a.md"]);
  });

  /** Commands of a clone, which the guides name as such. */
  const OF_A_CLONE = ["spec/support/vitest.config.ts", "golden/export/smollm2/reference.json"];

  test("every path that the README, the guides, help texts and messages name is in the package", () => {
    const isRead = (path: string) =>
      /^(README\.md|docs\/(README|glossary)\.md|docs\/guides\/.*\.md)$/.test(path);
    const documents = packed.paths
      .filter(isRead)
      .map((path): [string, string] => [path, readFileSync(join(installed, path), "utf8")]);
    const texts = [...documents, ...messagesOf(installed)];
    expect(documents.length).toBeGreaterThan(12);
    const missing = texts.flatMap(([name, text]) => missingPaths(name, text, installed, packed.paths));
    expect(missing.filter((one) => !OF_A_CLONE.some((path) => one.endsWith(`: ${path}`)))).toEqual([]);
    const text = "`golden/adapters/probe.py`, docs/guides/*.md, src/none.ts and golden/none/*/case.json.";
    expect(missingPaths("a", text, installed, packed.paths)).toEqual([
      "a: src/none.ts",
      "a: golden/none/*/case.json",
    ]);
  });

  test("every case that the README, the guides, help texts and messages name is in the package", () => {
    const names = packed.paths.flatMap(
      (path) => /^golden\/cases\/[^/]+\/([^/]+)\/case\.json$/.exec(path)?.[1] ?? [],
    );
    const all = readdirSync(join(repository, "golden/cases"), { recursive: true, encoding: "utf8" }).flatMap(
      (path) => /([^/\\]+)[/\\]case\.json$/.exec(path)?.[1] ?? [],
    );
    const finds = (pattern: string, among: readonly string[]) => {
      const form = new RegExp(`^${pattern.replaceAll("*", ".*")}$`);
      return among.some((name) => form.test(name));
    };
    const named = [...introductions, ...messagesOf(installed)].flatMap(([path, text]) =>
      casesIn(text)
        .filter((name) => finds(name, all))
        .map((name): [string, string] => [path, name]),
    );
    expect(named.length).toBeGreaterThan(40);
    expect(named.filter(([, name]) => !finds(name, names))).toEqual([]);
    expect(casesIn("`a--b`, *--c and a--d-*, not --e")).toEqual(["a--b", "*--c", "a--d-*"]);
  });

  test("the commands and the code of the guide to testing a port run", () => {
    const [, guide = ""] = introductions.find(([path]) => path.endsWith("/15-testing-a-port.md")) ?? [];
    const [, cases = ""] = /^CASES="([^"]+)"$/m.exec(guide) ?? [];
    const folders = runs(`npx flamboyance cases path ${cases}`).trimEnd().split("\n");
    expect([folders.length, cases.split(" ").length]).toEqual([3, 3]);
    const [, code = "", printed = ""] = /^```js\n([\s\S]*?)^```\n\n```\n([\s\S]*?)^```/m.exec(guide) ?? [];
    writeFileSync(join(project, "guide.mjs"), code);
    expect(runs("node guide.mjs")).toBe(printed);
    expect(printed).toContain("swiglu-halves-exchanged");
  });

  test("every command that a document calls exists", () => {
    const known = /the commands are (.*)/.exec(npx(project, "no-command").stderr)?.[1]?.split(", ") ?? [];
    const documents = packed.paths.filter((path) => path.endsWith(".md") && path !== "CHANGELOG.md");
    const called = documents.flatMap((path) => commandsIn(readFileSync(join(installed, path), "utf8")));
    expect(new Set(called).size).toBeGreaterThan(10);
    expect([...new Set(called)].filter((name) => !known.includes(name))).toEqual([]);
    expect(commandsIn("`flamboyance nothing` and\n```sh\nnpx flamboyance none\n```\n")).toEqual([
      "none",
      "nothing",
    ]);
  });
});

test("gpu.js installs without a compiler, as the message of a missing gpu.js says", async () => {
  const other = join(folder, "with-gpu");
  const source = `import { gpu } from "flamboyance/gpu"; console.log(JSON.stringify(await gpu().catch((e) => e.message)));`;
  const message = String(inNode(project, source));
  const overrides = /"overrides": (\{.*?\})/.exec(message)?.[1] ?? "";
  const install = /npm install (gpu\.js@\S+)/.exec(message)?.[1] ?? "";
  expect(message).toContain("--ignore-scripts");
  installInto(other, packed.tarball, { overrides: JSON.parse(overrides), more: [install] });
  const { packages } = JSON.parse(readFileSync(join(other, "package-lock.json"), "utf8"));
  expect(packages["node_modules/gl"].name).toBe("empty-npm-package");
  expect(
    Object.values(packages as Record<string, { hasInstallScript?: boolean }>).filter(
      (one) => one.hasInstallScript,
    ),
  ).toEqual([]);
  const { status, stdout } = npx(other, "check", "swiglu--basic", "--backend", "gpu", "--mode", "cpu");
  expect([status, stdout]).toEqual([0, expect.stringContaining("1 of 1 cases conform")]);
}, 240_000);

test("its types resolve, and reject a wrong order of axes", () => {
  const tsc = (last: string) =>
    compile(project, [
      'import { rearrange, tensor, type Tensor } from "flamboyance";',
      'import { conventions } from "flamboyance/masks";',
      'import { gpu } from "flamboyance/gpu";',
      'const x: Tensor<"a b"> = tensor("a b", [[1, 2]]);',
      "export const rank: number = x.data.stride.length + Object.keys(conventions).length;",
      "export const mode: string | null = (await gpu()).mode;",
      last,
    ]);
  const right = tsc('export const y: Tensor<"b a"> = rearrange("a b -> b a", x);');
  expect([right.status, right.stdout]).toEqual([0, ""]);
  expect(tsc('export const y: Tensor<"a b"> = rearrange("a b -> b a", x);').stdout).toMatch(
    /^use\.ts\(7,14\): error TS2322/,
  );
});

test("a bundled page computes without modules of Node", async () => {
  const script = await bundlePage(
    project,
    `import { einsum, initialize, run, reference, tensor } from "flamboyance";
    import { Linear, MaskedCrossAttention } from "flamboyance/nn";
    export const product = () => [...einsum("a b, c b -> a c", tensor("a b", [[1, 2]]), tensor("c b", [[3, 4]])).flat()];
    export const layer = () => initialize(new Linear("d -> e", 3, 2), 1).forward(tensor("b d", [[1, 2, 3]])).shape;`,
  );
  expect(script).not.toMatch(/node:|\brequire\(|\bprocess\./);
  const page = createContext({ TextDecoder, TextEncoder, performance, Blob });
  runInContext(script, page);
  expect(runInContext("page.product()", page).join()).toBe("11");
  expect(runInContext("page.layer()", page).join()).toBe("1,2");
  expect(runInContext("typeof process + typeof require + typeof Buffer", page)).toBe("undefined".repeat(3));
  expect(script).not.toContain(TURBO.slice(0, 100)); // a page that reads no images has no decoder
});

test("a page reads images", async () => {
  const [jpeg, png] = [jpegs.images[0], pngs.images[0]];
  const script = await bundlePage(
    project,
    `import { readImage } from "flamboyance/io";
    const read = async (base64) => [...(await readImage(Uint8Array.from(atob(base64), (c) => c.charCodeAt(0)))).data];
    export const images = () => Promise.all([read("${jpeg?.jpeg}"), read("${png?.png}")]);`,
  );
  expect(script).not.toMatch(/node:|\brequire\(|\bprocess\./);
  const page = createContext({
    TextDecoder,
    TextEncoder,
    performance,
    Blob,
    atob,
    DecompressionStream,
    ReadableStream,
  });
  runInContext(script, page);
  const pixels = (base64 = "") => [...Buffer.from(base64, "base64")];
  const images: number[][] = await runInContext("page.images()", page);
  expect(images.map((data) => [...data])).toEqual([pixels(jpeg?.converted.RGB), pixels(png?.converted.RGB)]);
});

const json = (path: string) => JSON.parse(readFileSync(join(repository, path), "utf8"));

test("npm ci compiles no package and works on every platform", () => {
  expect(lockfileProblems(json("package-lock.json").packages, json("package.json"))).toEqual([]);
});

test("entries that would make npm ci fail are reported", () => {
  const manifest = { dependencies: { a: "1" }, devDependencies: {} };
  const gl = { name: "empty-npm-package" };
  const valid = { "": manifest, "node_modules/gl": gl, "node_modules/a": {} };
  const reports = (more: object) => lockfileProblems({ ...valid, ...more }, manifest);
  expect(reports({})).toEqual([]);
  expect(reports({ "node_modules/a": { resolved: "x" } })).toEqual([
    "node_modules/a has the address of a registry: x",
  ]);
  expect(reports({ "node_modules/a": { hasInstallScript: true } })).toHaveLength(1);
  const optional = { optionalDependencies: { b: "1" } };
  expect(reports({ "node_modules/a": optional })).toEqual([
    "node_modules/a may need b, which is not locked: npm ci fails",
  ]);
  expect(reports({ "node_modules/a": optional, "node_modules/b": {} })).toEqual([]);
  expect(reports({ "node_modules/a": optional, "node_modules/a/node_modules/b": {} })).toEqual([]);
  expect(reports({ "node_modules/gl": {} })).toEqual(["gl is not the empty package"]);
  expect(reports({ "": { ...manifest, dependencies: { a: "2" } } })).toEqual([
    "dependencies are not those of package.json",
  ]);
  expect(reports({ "": { dependencies: { a: "1" } } })).toEqual([
    "devDependencies are not those of package.json",
  ]);
});
