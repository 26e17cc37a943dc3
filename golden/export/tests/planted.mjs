// A small repository of golden sources in a temporary folder, for the tests of digests and sources.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { readSources } from "../sources.mjs";

const json = (value) => JSON.stringify(value);

/** Three sources: `a` uses `b`; both `a` and `c` share the environment of `b`; `c` needs a checkout. */
const FILES = {
  "golden/export/run.mjs": "// command",
  "golden/export/common/noise.py": "FLOOR = 4",
  "golden/export/a/source.json": json({
    committed: ["cases/a", "state-dicts.json", "COVERAGE.md#a"],
    data: ["data/cat.png"],
    uses: ["b"],
    environment: "b",
    minutes: 3,
  }),
  "golden/export/a/source.py": "SOURCE = 1",
  "golden/export/a/tables/rules.json": "{}",
  "golden/export/a/cases/gated-block.json": json({ class: "GatedBlock", cases: [{ id: "basic" }] }),
  "golden/export/b/source.json": json({ committed: ["cases/b"], minutes: 1 }),
  "golden/export/b/source.py": "SOURCE = 2",
  "golden/export/b/requirements.txt": "torch==2.13.0",
  "golden/export/b/requirements-no-deps.txt": "b==1",
  "golden/export/b/cases/vit.json": json({ class: "ViT", cases: [{ id: "basic" }, { id: "mean" }] }),
  "golden/export/c/source.json": json({
    committed: ["cases/c"],
    environment: "b",
    checkout: { repository: "https://example.org/c", commit: "1234567890abcdef1234567890abcdef12345678" },
  }),
  "golden/export/c/source.py": "SOURCE = 3",
  "golden/export/c/packages.json": "[]",
  "golden/cases/a/gated-block--basic/case.json": "{}",
  "golden/cases/a/gated-block--basic/expected.safetensors": "numbers",
  "golden/cases/b/vit--basic/case.json": "{}",
  "golden/cases/c/masks.json": "{}",
  "golden/data/cat.png": "pixels",
  "golden/state-dicts.json": "{}",
  "golden/COVERAGE.md": "# Coverage\n\n## a: 1 cases\n\nall\n\n## b: 2 cases\n\nsome\n",
};

/** Writes the repository; `write(path, text)` changes a file of it. It is removed at the end of the test `t`. */
export function planted(t) {
  const root = mkdtempSync(join(tmpdir(), "flamboyance-golden-"));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  const write = (path, text) => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  for (const [path, text] of Object.entries(FILES)) write(path, text);
  const sources = readSources(root);
  return { root, write, sources, named: Object.fromEntries(sources.map((one) => [one.name, one])) };
}
