// Which changes make a source need verifying again, and when a digest is recorded.
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { changedParts, describeChanges, needsVerifying, verifyAndRecord } from "../digest.mjs";
import { readSources, withUsed } from "../sources.mjs";
import { planted } from "./planted.mjs";

const passes = async () => ({ passed: 3, failed: 0 });

/** A planted repository whose sources have all been verified. */
async function allVerified(t) {
  const repository = planted(t);
  const { sources, root } = repository;
  for (const source of sources) await verifyAndRecord(source, sources, passes, root);
  const changed = () =>
    Object.fromEntries(
      sources
        .map((one) => [one.name, changedParts(one, sources, root)])
        .filter(([, parts]) => parts.length > 0),
    );
  return { ...repository, changed };
}

const CHANGES = [
  ["golden/export/run.mjs", { a: ["shared"], b: ["shared"], c: ["shared"] }],
  ["golden/export/common/noise.py", { a: ["shared"], b: ["shared"], c: ["shared"] }],
  ["golden/export/common/new.py", { a: ["shared"], b: ["shared"], c: ["shared"] }],
  ["golden/export/a/source.py", { a: ["exporter"] }],
  ["golden/export/a/source.json", { a: ["exporter"] }],
  ["golden/export/a/tables/rules.json", { a: ["exporter"] }],
  ["golden/export/a/cases/gated-block.json", { a: ["caseFiles"] }],
  ["golden/export/b/source.py", { a: ["exporter"], b: ["exporter"] }],
  ["golden/export/b/requirements.txt", { a: ["requirements"], b: ["requirements"], c: ["requirements"] }],
  [
    "golden/export/b/requirements-no-deps.txt",
    { a: ["requirements"], b: ["requirements"], c: ["requirements"] },
  ],
  ["golden/export/b/cases/vit.json", { b: ["caseFiles"] }],
  ["golden/export/c/packages.json", { c: ["requirements"] }],
  ["golden/cases/a/gated-block--basic/expected.safetensors", { a: ["cases"] }],
  ["golden/cases/a/gated-block--basic/extra.json", { a: ["cases"] }],
  ["golden/cases/b/vit--basic/case.json", { b: ["cases"] }],
  ["golden/state-dicts.json", { a: ["cases"] }],
  ["golden/data/cat.png", { a: ["caseFiles"] }],
  ["golden/export/exchange.mjs", {}],
  ["golden/export/tests/python/compare.py", {}],
  ["golden/export/b/.venv/lib/torch.py", {}],
  ["golden/export/b/__pycache__/source.pyc", {}],
];

for (const [path, expected] of CHANGES)
  test(`a change of ${path} is a change of ${JSON.stringify(expected)}`, async (t) => {
    const { root, write, changed } = await allVerified(t);
    assert.deepEqual(changed(), {});
    const before = existsSync(join(root, path)) ? readFileSync(join(root, path), "utf8") : "";
    write(path, `${before} `);
    assert.deepEqual(changed(), expected);
    if (before !== "") {
      write(path, before);
      assert.deepEqual(changed(), {});
    }
  });

test("a section of COVERAGE.md belongs to its source alone", async (t) => {
  const { write, changed } = await allVerified(t);
  write("golden/COVERAGE.md", "# Coverage\n\n## a: 1 cases\n\nall\n\n## b: 3 cases\n\nsome more\n");
  assert.deepEqual(changed(), {});
  write("golden/COVERAGE.md", "# Coverage\n\n## a: 1 cases\n\nnone\n\n## b: 3 cases\n\nsome more\n");
  assert.deepEqual(changed(), { a: ["cases"] });
});

test("content that moves from one file to the next changes the digest", async (t) => {
  const { write, changed } = await allVerified(t);
  write("golden/export/common/noise.py", "FLOOR =");
  write("golden/export/common/noisf.py", " 4");
  assert.deepEqual(changed().c, ["shared"]);
});

test("the digest is recorded after a complete success only", async (t) => {
  const { sources, root, named } = planted(t);
  const record = join(named.b.folder, "verified.json");
  const attempt = (check) => verifyAndRecord(named.b, sources, check, root);
  assert.equal(changedParts(named.b, sources, root), null);
  for (const result of [
    { passed: 2, failed: 1 },
    { passed: 0, failed: 1 },
    { passed: 0, failed: 0 },
  ]) {
    assert.equal((await attempt(async () => result)).recorded, false);
    assert.equal(existsSync(record), false);
  }
  await assert.rejects(
    attempt(async () => {
      throw new Error("crash");
    }),
  );
  assert.equal(existsSync(record), false);
  assert.equal((await attempt(passes)).recorded, true);
  assert.equal(existsSync(record), true);
});

test("the digest is not recorded if a file changes during the verification", async (t) => {
  const { sources, root, named, write } = planted(t);
  const check = async () => {
    write("golden/cases/b/vit--basic/case.json", "{} ");
    return passes();
  };
  const result = await verifyAndRecord(named.b, sources, check, root);
  assert.deepEqual(result, { passed: 3, failed: 0, recorded: false });
  assert.equal(existsSync(join(named.b.folder, "verified.json")), false);
});

test("a failed verification leaves the old record, so the source still needs verifying", async (t) => {
  const { sources, root, named, write } = await allVerified(t);
  write("golden/cases/b/vit--basic/case.json", "{} ");
  await verifyAndRecord(named.b, sources, async () => ({ passed: 1, failed: 1 }), root);
  assert.deepEqual(changedParts(named.b, sources, root), ["cases"]);
  assert.equal(needsVerifying(named.b, sources, root), true);
  assert.equal(needsVerifying(named.a, sources, root), false);
});

test("a record that cannot be read counts as none", async (t) => {
  const { sources, root, named, write } = await allVerified(t);
  write("golden/export/b/verified.json", "{");
  assert.equal(changedParts(named.b, sources, root), null);
  assert.equal(needsVerifying(named.b, sources, root), true);
});

test("the status is a sentence that names what changed", () => {
  assert.equal(describeChanges(null), "was never verified");
  assert.equal(describeChanges([]), "is verified");
  const sentence = describeChanges(["requirements", "cases"]);
  assert.equal(sentence, "changed since it was last verified: its requirements, its committed cases");
});

const pythonBelow = (path) =>
  readdirSync(path).flatMap((name) => {
    if (name.startsWith(".")) return [];
    const full = join(path, name);
    if (statSync(full).isDirectory()) return pythonBelow(full);
    return name.endsWith(".py") ? [full] : [];
  });

test("every source of this repository declares the sources that its code imports", () => {
  const sources = readSources();
  for (const source of sources) {
    const declared = [...withUsed(source, sources)].map(({ name }) => name);
    for (const file of pythonBelow(source.folder))
      for (const [, name] of readFileSync(file, "utf8").matchAll(
        /(?:from |import )(?:\.\.+|golden\.export\.)(\w+)/g,
      ))
        if (sources.some((one) => one.name === name))
          assert.ok(declared.includes(name), `${file} imports ${name}`);
  }
});
