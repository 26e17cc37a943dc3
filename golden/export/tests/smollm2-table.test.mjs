// The committed results of transformers on SmolLM2, and the prompts that they are about.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const read = (name) => JSON.parse(readFileSync(new URL(`../smollm2/${name}`, import.meta.url), "utf8"));
const prompts = read("prompts.json");
const table = read("reference.json");
const named = (property) => prompts.filter((prompt) => prompt[property]).map(({ name }) => name);

test("the table has every prompt: 50, of which 20 are continued and 6 have beams", () => {
  assert.deepEqual(
    Object.keys(table.prompts),
    prompts.map(({ name }) => name),
  );
  assert.deepEqual(Object.keys(table.greedy), named("greedy"));
  assert.deepEqual(Object.keys(table.beams), named("beams"));
  assert.deepEqual([prompts.length, named("greedy").length, named("beams").length], [50, 20, 6]);
});

test("prompts have up to 512 tokens, and the logits of several are compared at every position", () => {
  const lengths = Object.values(table.prompts).map(({ ids }) => ids.length);
  assert.deepEqual([Math.min(...lengths), Math.max(...lengths)], [1, 512]);
  for (const { name, everyPosition } of prompts) {
    const { ids, rows } = table.prompts[name];
    assert.equal(rows.at(-1).position, ids.length - 1);
    assert.equal(rows[0].position, everyPosition ? 0 : ids.length - 1);
  }
});

test("a continuation has 64 tokens, and at least 15 of them never come close to a tie", () => {
  const all = Object.values(table.greedy);
  for (const { tokens, end, smallestMargin } of all) {
    assert.equal(tokens.length, 64);
    assert.ok(end === 0 || smallestMargin >= table.margin);
  }
  assert.ok(all.filter(({ end }) => end === null).length >= 15);
});

test("noise is measured, not zero, and far from the logits", () => {
  for (const { noise } of Object.values(table.prompts)) assert.ok(noise > 1e-7 && noise < 1e-2);
});
