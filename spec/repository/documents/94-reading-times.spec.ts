// The reading times of the guides: "Examples in documents", 94-examples.md.
import { expect, test } from "vitest";
import { readTree } from "../../support/architecture/tree.mjs";

const FENCED = /^ *```[^\n]*\n([\s\S]*?)^ *```/gm;

/** Minutes at 200 words of prose, or ten lines of code, a minute. */
function minutesOf(text: string): number {
  const code = [...text.matchAll(FENCED)].flatMap(([, block = ""]) => block.split("\n"));
  const lines = code.filter((line) => line.trim() !== "");
  const prose = text
    .replaceAll(FENCED, "")
    .replaceAll(/<!--[\s\S]*?-->/g, "")
    .replaceAll(/\]\([^)]*\)/g, "");
  const words = prose.split(/\s+/).filter((word) => /\w/.test(word));
  return words.length / 200 + lines.length / 10;
}

const guides = [...readTree(["docs/guides"], /\.md$/)];

test("an hour of prose and code is an hour", () => {
  expect(minutesOf("word ".repeat(12_000))).toBeCloseTo(60, 12);
  expect(minutesOf(`${"word ".repeat(200)}\n\`\`\`ts\n${"x;\n".repeat(590)}\`\`\`\n`)).toBeCloseTo(60, 12);
});

test.each(guides)("%s says at its beginning how long it takes to read", (_, text) => {
  const [, stated] = /about (\d+) minutes/i.exec(text.split("\n").slice(0, 6).join("\n")) ?? [];
  const minutes = minutesOf(text);
  expect(Number(stated)).toBeGreaterThan(minutes / 1.4);
  expect(Number(stated)).toBeLessThan(minutes * 1.4);
});
