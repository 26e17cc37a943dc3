// The executable half of 79-datasets.md.
import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { DATASETS } from "../../../src/evaluation/catalogue/datasets.ts";
import { flamboyance } from "../../support/fixtures/command.ts";

const digest = (rows: readonly string[]): string =>
  createHash("sha256").update(rows.join("\n")).digest("hex");

test("[data.catalogue] the rows are those of the README and of its translation", () => {
  expect(DATASETS.length).toBe(26);
  // Python's hashlib on the rows of the README's table, cells joined by "|" and rows by line breaks, without spaces at the ends of cells.
  const rows = DATASETS.map(({ name, description, size, link, linkText }) =>
    [name, description, size, link === null ? linkText : `[${linkText}](${link})`].join("|"),
  );
  expect(digest(rows)).toBe("23b862738957205175c8b7d9e867db6c5db2ef17d76bbf9c53f5d6ae0f2521ef");
  // The same of the Korean table.
  const korean = digest(DATASETS.map((one) => one.korean.join("|")));
  expect(korean).toBe("cee9063ebcbf978072658d49ac8bf75f84f6ba59a0589636fff93fe4e0ee8be6");
});

test("[data.catalogue] sets for evaluation have a metric and numbers of demonstrations, and no other has", () => {
  for (const { role, metric, shots, tasks } of DATASETS) {
    expect([metric !== undefined, shots !== undefined, tasks.length > 0]).toEqual(
      Array(3).fill(role === "eval"),
    );
  }
  expect(DATASETS.filter(({ role }) => role !== "eval").length).toBe(7);
  expect(new Set(DATASETS.map(({ id }) => id)).size).toBe(26);
});

test("data list prints all rows, or those of a role, and their document", () => {
  const { stdout, stderr, status } = flamboyance("data", "list");
  expect([status, stderr]).toEqual([0, ""]);
  for (const { id, description } of DATASETS) expect(stdout).toMatch(new RegExp(`${id} +${description}`));
  expect(stdout.split("\n").filter((line) => line.length > 80)).toEqual([]);
  const document = JSON.parse(flamboyance("data", "list", "--role", "pretrain-caption", "--json").stdout);
  const names = document.datasets.map(({ name }: { name: string }) => name);
  expect(names).toEqual(["LAION-400M", "LAION-2B", "COYO", "Conceptual Captions"]);
});

test("data show finds a name or an id, and prints what is doubtful", () => {
  const { stdout } = flamboyance("data", "show", "WEBSRC");
  expect(stdout).toContain("https://aclanthology.org/2021.emnlp-main.261/");
  expect(stdout).toContain("main.343");
  const document = JSON.parse(flamboyance("data", "show", "IQ Test", "--json").stdout);
  expect(document.datasets).toEqual(DATASETS.filter(({ id }) => id === "iq-test"));
  expect(document.datasets[0].link).toBe(null);
});

test.each([
  [["show", "coc-captions"], 'there is no data set "coc-captions" (did you mean "coco-captions"?)'],
  [["show"], "data show takes one name"],
  [["list", "x"], "data list takes no name"],
  [["list", "--role", "training"], "--role is one of pretrain-text"],
  [["show", "cub", "--role", "eval"], "--role goes with data list"],
  [["sort"], 'data has the tasks list, show, check, mix, pack, not "sort"'],
  [[], "data has the tasks list, show"],
])("data %j is a mistake of usage", (args, message) => {
  const { status, stdout, stderr } = flamboyance("data", ...args);
  expect([status, stdout]).toEqual([3, ""]);
  expect(stderr).toContain(message);
});
