// How sources are found, chosen and refused.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { environmentOf, examineCheckout, sourceNamed, sourcesWithCases, withUsed } from "../sources.mjs";
import { planted } from "./planted.mjs";

const names = (sources) => [...sources].map(({ name }) => name);

test("a folder with a source.json is a source, and nothing else is", (t) => {
  assert.deepEqual(names(planted(t).sources), ["a", "b", "c"]);
});

test("an unknown source is refused with the names of the known ones", (t) => {
  const { sources } = planted(t);
  assert.throws(() => sourceNamed("d", sources), /no source "d"; the sources are a, b, c/);
});

test("a source has its own environment unless it names another's", (t) => {
  const { sources, named } = planted(t);
  assert.equal(environmentOf(named.a, sources), named.b.folder);
  assert.equal(environmentOf(named.b, sources), named.b.folder);
  assert.deepEqual(names(withUsed(named.a, sources)), ["a", "b"]);
});

test("patterns match ids with or without the package", (t) => {
  const { sources } = planted(t);
  const found = (...patterns) => names(sourcesWithCases(patterns, sources));
  assert.deepEqual(found("vit--mean"), ["b"]);
  assert.deepEqual(found("b/vit--m*"), ["b"]);
  assert.deepEqual(found("a/vit--mean"), []);
  assert.deepEqual(found("*--basic"), ["a", "b"]);
  assert.deepEqual(found("vit--mea?", "gated-block--basic"), ["a", "b"]);
  assert.deepEqual(found("vit-.mean"), []);
});

function repository(root) {
  const folder = join(root, "checkout");
  mkdirSync(folder);
  const git = (...words) =>
    execFileSync("git", ["-C", folder, "-c", "user.name=a", "-c", "user.email=a@example.org", ...words], {
      encoding: "utf8",
    });
  git("init", "-q");
  writeFileSync(join(folder, "layer.py"), "x = 1");
  git("add", ".");
  git("commit", "-q", "-m", "a layer");
  return { folder, commit: git("rev-parse", "HEAD").trim() };
}

test("a source that needs a checkout is refused without one", (t) => {
  const { named, root } = planted(t);
  assert.throws(() => examineCheckout(named.c, undefined), /c needs a checkout of .* at commit 1234567/);
  assert.throws(() => examineCheckout(named.c, join(root, "absent")), /is not a folder/);
  assert.throws(() => examineCheckout(named.a, root), /a is installed from a registry; leave out --from/);
});

test("a checkout must be at the declared commit and unchanged", (t) => {
  const { named, root } = planted(t);
  const { folder, commit } = repository(root);
  assert.throws(() => examineCheckout(named.c, folder), /is at commit .*; c needs a checkout/);
  const declared = { ...named.c, checkout: { ...named.c.checkout, commit } };
  assert.equal(examineCheckout(declared, folder), null);
  writeFileSync(join(folder, "layer.py"), "x = 2");
  assert.throws(() => examineCheckout(declared, folder), /changes that are not committed/);
});

test("a folder that is not a git checkout is accepted with a remark", (t) => {
  const { named, root } = planted(t);
  const remark = examineCheckout(named.c, join(root, "golden"));
  assert.match(remark, /its commit cannot be checked/);
});
