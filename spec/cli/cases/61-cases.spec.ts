// The executable half of 61-cases.md, on the built command line.
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { widthOf } from "../../../src/terminal/width.ts";
import { flamboyance } from "../../support/fixtures/command.ts";
import { folders, temporary } from "../../support/fixtures/temporary.ts";

const ROOT = resolve("golden/cases");
const fresh = folders();
const workspace = temporary();

/** The case.json of all cases of flamingo-pytorch, as they lie on the disk. */
const manifests = readdirSync(join(ROOT, "flamingo-pytorch")).map((name) =>
  JSON.parse(readFileSync(join(ROOT, "flamingo-pytorch", name, "case.json"), "utf8")),
);

const json = (...args: readonly string[]) => {
  const { status, stdout, stderr } = flamboyance("cases", ...args, "--json");
  expect([status, stderr]).toEqual([0, ""]);
  return JSON.parse(stdout);
};

const idsOf = (document: { cases: readonly { id: string }[] }) => document.cases.map(({ id }) => id);

describe("list", () => {
  test("names the cases of a class, one a line, with their titles", () => {
    const { status, stdout } = flamboyance("cases", "list", "--class", "SwiGLU");
    const [head, ...lines] = stdout.trimEnd().split("\n");
    const expected = manifests.filter(({ source }) => source.class === "SwiGLU");
    expect(head).toMatch(/^case +class +title$/);
    expect(lines.length).toBe(expected.length);
    for (const { id, title } of expected)
      expect(lines.some((line) => line.startsWith(`${id} `) && line.endsWith(` ${title}`))).toBe(true);
    expect(status).toBe(0);
  });

  test("package, class, level and names narrow it together", () => {
    const level = manifests.filter(
      (one) => one.level === "grad" && one.source.class === "PerceiverAttention",
    );
    const options = ["--package", "flamingo-pytorch", "--class", "PerceiverAttention", "--level", "grad"];
    expect(level.length).toBeGreaterThan(0);
    expect(idsOf(json("list", ...options)).sort()).toEqual(level.map(({ id }) => id).sort());
    const basic = manifests.filter(({ id }) => /\/swiglu--[^/]*a[^/]*$/.test(id));
    expect(idsOf(json("list", "swiglu--*a*")).sort()).toEqual(basic.map(({ id }) => id).sort());
    expect(idsOf(json("list", "flamingo-pytorch")).length).toBe(manifests.length);
  });

  test("the document has the facts of case.json, and the folder", () => {
    const [entry] = json("list", "swiglu--basic").cases;
    expect(entry).toEqual({
      id: "flamingo-pytorch/swiglu--basic",
      title: "The second half gates the first",
      package: "flamingo-pytorch",
      class: "SwiGLU",
      level: "op",
      profile: "flamingo-pytorch@0.1.2",
      full: false,
      folder: join(ROOT, "flamingo-pytorch/swiglu--basic"),
    });
  });
});

test("show prints the facts of one case within 80 columns, and its case.json as a document", () => {
  const name = "flamingo-palm--gradients-images";
  const { status, stdout } = flamboyance("cases", "show", name);
  const manifest = manifests.find(({ id }) => id.endsWith(name));
  for (const fact of [
    manifest.id,
    "class FlamingoPaLM",
    "inputs.images BF16",
    "grads.",
    "outputs.out, float32 within",
  ])
    expect(stdout).toContain(fact);
  const folder = join(ROOT, manifest.id);
  const wide = stdout.split("\n").filter((line) => widthOf(line) > 80 && !line.includes(folder));
  expect(wide).toEqual([]);
  expect(status).toBe(0);
  expect(json("show", name)).toEqual({ cases: [{ folder, case: manifest }] });
});

test("path prints folders, for the shell", () => {
  const paths = (...names: readonly string[]) =>
    flamboyance("cases", "path", ...names)
      .stdout.trimEnd()
      .split("\n");
  expect(paths()).toEqual([ROOT]);
  expect(paths("flamingo-pytorch")).toEqual([join(ROOT, "flamingo-pytorch")]);
  expect(paths("swiglu--basic", "*/swiglu--wide")).toEqual(
    ["swiglu--basic", "swiglu--wide"].map((name) => join(ROOT, "flamingo-pytorch", name)),
  );
  expect(paths("--class", "SwiGLU").every((path) => existsSync(join(path, "case.json")))).toBe(true);
});

describe("copy", () => {
  const filesBelow = (folder: string) =>
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name));

  test("writes complete cases with what is needed to read them", () => {
    const kit = join(fresh(), "deep/kit");
    const { status, stdout } = flamboyance("cases", "copy", kit, "swiglu--*");
    expect([status, stdout]).toEqual([0, expect.stringContaining("5 cases are in ")]);
    expect(readdirSync(kit).sort()).toEqual(["COVERAGE.md", "FORMAT.md", "adapters", "cases"]);
    const adapters = filesBelow(join(kit, "adapters")).map((path) => path.slice(kit.length + 1));
    expect(adapters).toContain("adapters/probe.py");
    expect(readdirSync(join(kit, "cases/flamingo-pytorch")).length).toBe(5);
    for (const path of filesBelow(kit))
      expect(readFileSync(path).equals(readFileSync(join("golden", path.slice(kit.length + 1))))).toBe(true);
    const checked = flamboyance("check", join(kit, "cases"), "--json");
    expect(JSON.parse(checked.stdout).summary).toMatchObject({ cases: 5, passed: 5 });
  });

  test("overwrites nothing", () => {
    const kit = fresh();
    mkdirSync(kit, { recursive: true });
    writeFileSync(join(kit, "mine"), "x");
    const { status, stderr } = flamboyance("cases", "copy", kit, "swiglu--basic");
    expect([status, stderr]).toEqual([2, expect.stringContaining(`cannot write ${kit}: it holds mine`)]);
    expect(readdirSync(kit)).toEqual(["mine"]);
    const messageFor = (name: string) =>
      flamboyance("cases", "copy", join(kit, name), "swiglu--basic").stderr;
    expect(messageFor("mine")).toContain("it is a file");
    expect(messageFor("mine/kit")).toMatch(/cannot write .*mine\/kit: .*check the path/);
    symlinkSync(join(kit, "nowhere"), join(kit, "link"));
    expect(messageFor("link")).toContain("it is a link to nothing");
    expect(readdirSync(kit).sort()).toEqual(["link", "mine"]);
  });

  test("fills an empty folder below one that it may not write to", () => {
    const parent = join(fresh(), "closed");
    mkdirSync(join(parent, "kit"), { recursive: true });
    chmodSync(parent, 0o500);
    const { status } = flamboyance("cases", "copy", join(parent, "kit"), "swiglu--basic");
    chmodSync(parent, 0o700);
    expect([status, readdirSync(join(parent, "kit")).sort()]).toEqual([
      0,
      ["COVERAGE.md", "FORMAT.md", "adapters", "cases"],
    ]);
  });

  test("fills an empty folder, and leaves nothing beside it", () => {
    const kit = join(fresh(), "kit");
    mkdirSync(kit, { recursive: true });
    expect(json("copy", kit, "swiglu--basic")).toEqual({
      folder: kit,
      cases: ["flamingo-pytorch/swiglu--basic"],
    });
    expect(readdirSync(kit).length).toBe(4);
    expect(readdirSync(dirname(kit))).toEqual(["kit"]);
  });

  test("leaves nothing behind where it fails", () => {
    const parent = join(fresh(), "closed");
    mkdirSync(parent, { recursive: true });
    const broken = join(workspace, "broken/cases/swiglu--basic");
    mkdirSync(join(broken, "inputs.safetensors"), { recursive: true }); // a folder where a file is expected
    writeFileSync(
      join(broken, "case.json"),
      readFileSync(join(ROOT, "flamingo-pytorch/swiglu--basic/case.json")),
    );
    const { status } = flamboyance("cases", "copy", join(parent, "kit"), broken);
    expect([status, readdirSync(parent)]).toEqual([2, []]);
    if (process.getuid?.() === 0) return; // everything may be written
    chmodSync(parent, 0o500);
    expect(flamboyance("cases", "copy", join(parent, "kit"), "swiglu--basic").status).toBe(2);
    chmodSync(parent, 0o700);
  });
});

describe("names", () => {
  const messageOf = (...args: readonly string[]) => {
    const { status, stdout, stderr } = flamboyance(...args);
    expect(stdout).toBe("");
    return [status, stderr];
  };

  test("[case.name] check and conform find cases by name", () => {
    for (const name of ["swiglu--basic", "flamingo-pytorch/swiglu--basic"])
      expect(JSON.parse(flamboyance("check", name, "--json").stdout).cases).toMatchObject([
        { id: "flamingo-pytorch/swiglu--basic", status: "passed" },
      ]);
    const out = join(workspace, "mine");
    flamboyance("check", "SwiGLU", "--precision", "float32", "--out", out);
    const { status, stdout } = flamboyance("conform", "--actual", out, "swiglu--*");
    expect([status, stdout]).toEqual([0, expect.stringContaining("5 of 5 cases conform")]);
  });

  test("[case.name] an unknown or ambiguous name is answered with the nearest and the remedy", () => {
    const near = (words: string) => [2, expect.stringContaining(words)];
    expect(messageOf("check", "swiglu--basi")).toEqual(near('did you mean "swiglu--basic"?'));
    expect(messageOf("check", "swiglu")).toEqual(near('"swiglu--*" finds 5'));
    expect(messageOf("check", "nothing--*")).toEqual(near("flamboyance cases list"));
    const [, ambiguous] = messageOf(
      "conform",
      "--actual",
      workspace,
      "gated-cross-attention-block--gates-zero",
    );
    expect(ambiguous).toMatch(/2 packages .*: flamingo-pytorch\/gated.*, open-flamingo\/gated.*"\*\/gated/);
    expect(messageOf("cases", "list", "--class", "swiglu")).toEqual(near('did you mean "SwiGLU"?'));
    expect(messageOf("cases", "show", "../../nowhere")).toEqual(near("there is nothing"));
  });

  test("an unknown task, level or option is a mistake of the command line", () => {
    expect(messageOf("cases", "lst")).toEqual([3, expect.stringContaining('did you mean "list"?')]);
    expect(messageOf("cases")).toEqual([3, expect.stringContaining("list, show, path, copy")]);
    expect(messageOf("cases", "list", "--level", "layer")).toEqual([
      3,
      expect.stringContaining("--level is one of"),
    ]);
    expect(messageOf("cases", "show")).toEqual([3, expect.stringContaining("one name")]);
    expect(messageOf("cases", "copy")).toEqual([3, expect.stringContaining("a folder to write to")]);
  });
});
