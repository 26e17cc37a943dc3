// Which sources .ci/run exports again.
import assert from "node:assert/strict";
import { test } from "node:test";
import { plan } from "../../../.ci/goldens.mjs";

const CHECKOUT = { repository: "https://example.org/mini", commit: "1234567" };
const row = (name, minutes, more = {}) => ({
  name,
  minutes,
  changed: [],
  checkout: null,
  small: true,
  ...more,
});
const unchanged = [row("flamingo", 2), row("masks", 0.5, { small: false }), row("vit", 1)];
const mini = row("mini", 1, { checkout: CHECKOUT, small: false });

test("the small part of the cheapest source is exported if no source changed", () => {
  const { words, left, late, reason } = plan([...unchanged, mini], false);
  assert.deepEqual(words, ["--source", "vit", "--small"]);
  assert.match(reason, /no source changed; vit is the cheapest/);
  assert.equal(left.length, 4);
  assert.match(left[2], /the full-size cases of vit: unchanged since it was last verified$/);
  assert.match(left[3], /mini: unchanged .*; it needs a checkout of https:\/\/example.org\/mini$/);
  assert.deepEqual(late, []);
});

test("sources that changed or were never verified are exported, and no others", () => {
  const rows = [
    row("flamingo", 2, { changed: ["cases"] }),
    row("masks", 7, { changed: null }),
    row("vit", 1),
  ];
  const { words, left, minutes } = plan(rows, false);
  assert.deepEqual(words, ["--source", "flamingo", "--source", "masks"]);
  assert.deepEqual(left, ["not exported again here: vit: unchanged since it was last verified"]);
  assert.equal(minutes, 9);
});

test("a source that changed but needs a checkout is named and does not replace the others", () => {
  const { words, left, late } = plan([...unchanged, { ...mini, changed: ["exporter"] }], false);
  assert.deepEqual(words, ["--source", "vit", "--small"]);
  assert.match(left.at(-1), /mini: it changed since it was last verified \(exporter\); it needs a checkout/);
  assert.deepEqual(late, []);
});

test("sources that changed but do not fit into the budget count as failed", () => {
  const rows = [5, 6, 7, 20].map((minutes) => row(`s${minutes}`, minutes, { changed: ["shared"] }));
  const { words, late } = plan(rows, false);
  assert.deepEqual(words, ["--source", "s5", "--source", "s6"]);
  assert.deepEqual(late, ["s7", "s20"]);
  assert.deepEqual(plan([row("slow", 50, { changed: null })], false).words, ["--source", "slow"]);
});

test("--all exports every source that needs no checkout", () => {
  const { words, left, late } = plan([...unchanged, mini], true);
  assert.deepEqual(words, ["--source", "flamingo", "--source", "masks", "--source", "vit"]);
  assert.equal(left.length, 1);
  assert.deepEqual(late, []);
});
