// Tests of 65-terminal.md.
import { stripVTControlCharacters } from "node:util";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { painter, printableWithColour, showsColour } from "../../src/terminal/colour.ts";
import { markdownTable, markdownText } from "../../src/terminal/markdown.ts";
import { didYouMean, nearest } from "../../src/terminal/nearest.ts";
import { progressOn } from "../../src/terminal/progress.ts";
import { heading, paragraph, words, wrap } from "../../src/terminal/prose.ts";
import { columnsFrom, table, tables } from "../../src/terminal/table.ts";
import {
  clip,
  fill,
  label,
  printable,
  printableJson,
  printableLine,
  widthOf,
} from "../../src/terminal/width.ts";

const plain = painter(false);

test("a table has any number of rows, columns and lines of a heading", () => {
  const many = 300_000; // more than a call can have arguments
  const cells = Array.from({ length: many }, () => [{ text: "ab" }]);
  const tall = table([{ head: ["a"], cells, gap: 0 }], plain);
  expect([tall.length, tall[0], tall.at(-1)]).toEqual([many + 1, "a", "ab"]);
  const narrow = Array.from({ length: many }, () => ({ head: ["a"], cells: [], gap: 0 }));
  expect(table(narrow, plain)).toEqual(["a".repeat(many)]);
  const headed = table([{ head: new Array<string>(many).fill("a"), cells: [] }], plain);
  expect([headed.length, headed[0]]).toEqual([many, "  a"]);
});

describe("widths", () => {
  test("East Asian wide characters and emoji take two columns, combining marks none", () => {
    // Unicode Standard Annex #11: W and F are wide
    for (const wide of ["日", "本", "한", "ア", "Ａ", "🦩", "𠀀"])
      expect([wide, widthOf(wide)]).toEqual([wide, 2]);
    for (const narrow of ["a", "é", "·", "■", "━", "ｱ", "ж"])
      expect([narrow, widthOf(narrow)]).toEqual([narrow, 1]);
    expect(widthOf("e\u0301")).toBe(1);
    expect(widthOf("日本 a")).toBe(6);
  });

  test("a clipped text fits, and one more character would not", () => {
    expect([clip("abc", 2), clip("日本", 3), clip("日本", 1), clip("", 4)]).toEqual(["ab", "日", "", ""]);
  });

  test("fill adds the spaces that are missing", () => {
    expect([fill("日", 4), fill("日", 4, "right"), fill("a", 4, "center"), fill("long", 2)]).toEqual([
      "日  ",
      "  日",
      " a  ",
      "long",
    ]);
  });

  test("a label has no control characters and fits", () => {
    expect(label("a\nb\t\u001b[31m\u202e")).toBe("a\\nb\\t\\u{1b}[3..");
    expect(label("\u202ea")).toBe("\\u{202e}a");
    expect(label("日本語日本語", 8)).toBe("日本語..");
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), fc.integer({ min: 2, max: 20 }), (text, most) => {
        expect(widthOf(label(text, most))).toBeLessThanOrEqual(most);
        expect(label(text, most)).not.toMatch(/\p{Cc}|\p{Cf}/u);
      }),
    );
  });
});

// One of each kind of character that a terminal obeys or hides, and its code point (The Unicode Standard 15, chapter 23).
const HIDDEN: readonly [string, string][] = [
  ["\u0000", "0"],
  ["\u0007", "7"],
  ["\u001b", "1b"],
  ["\u007f", "7f"],
  ["\u0085", "85"],
  ["\u009b", "9b"],
  ["\u00ad", "ad"],
  ["\u200b", "200b"],
  ["\u202e", "202e"],
  ["\u2066", "2066"],
  ["\u2028", "2028"],
  ["\u2029", "2029"],
  ["\ufeff", "feff"],
  ["\ud800", "d800"],
  ["\u{e0041}", "e0041"],
];

describe("text from outside", () => {
  test.each(HIDDEN)("%j is escaped", (char, code) => {
    const text = `a${char}b\n\tc`;
    expect(printable(text)).toBe(`a\\u{${code}}b\n\tc`);
    expect(printableLine(text)).toBe(`a\\u{${code}}b\\n\\tc`);
    for (const colour of [true, false]) {
      const shown = [
        painter(colour)(text, "bad"),
        painter(colour)(text),
        printableWithColour(text, colour),
        ...wrap(words(text), 20, painter(colour)),
        ...table(columnsFrom([{ head: [text] }], [[text]]), painter(colour)),
      ];
      for (const line of shown) {
        expect(line).toContain(`a\\u{${code}}b`);
        if (char !== "\u001b" || !colour) expect(line).not.toContain(char);
        expect(stripVTControlCharacters(line)).not.toContain(char);
      }
    }
    expect(markdownText(text)).not.toContain(char);
  });

  test.each(HIDDEN)("%j in a document is JSON's escape, and has the same meaning", (char) => {
    const document = { [`key${char}`]: [`a${char}b\n`, "plain"] };
    for (const json of [JSON.stringify(document), JSON.stringify(document, null, 2)]) {
      expect(printableJson(json)).not.toContain(char);
      expect(JSON.parse(printableJson(json))).toEqual(document);
    }
  });

  test("a sequence in the text is escaped, and only a painter's own sequences pass", () => {
    const hostile = "\u001b[32mgood\u001b[0m";
    expect(painter(true)(hostile, "bad")).toBe("\u001b[1;31m\\u{1b}[32mgood\\u{1b}[0m\u001b[0m");
    expect(painter(true)(hostile)).toBe("\\u{1b}[32mgood\\u{1b}[0m");
    const painted = painter(true)("x", 3);
    expect(printableWithColour(painted, true)).toBe(painted);
    expect(printableWithColour(painted, false)).toBe("\\u{1b}[32mx\\u{1b}[0m");
    expect(printableWithColour("\u001b[2J\u001b]0;title\u0007", true)).toBe(
      "\\u{1b}[2J\\u{1b}]0;title\\u{7}",
    );
  });

  test("Markdown shows punctuation as it is", () => {
    // GFM 6.1: any ASCII punctuation may be backslash-escaped
    expect(markdownText("a|b `c` *d* [e](f) <g> h_i\nj")).toBe(
      "a\\|b \\`c\\` \\*d\\* \\[e\\](f) \\<g\\> h\\_i j",
    );
  });
});

describe("misspelt names", () => {
  const names = ["check", "conform", "probe", "mask"];
  test.each([
    ["chekc", "check"],
    ["confrm", "conform"],
    ["prob", "probe"],
    ["maks", "mask"],
    ["inspect", null],
    ["x", null],
    ["", null],
    ["m".repeat(1e6), null],
  ])("%j means %j", (name, meant) => {
    expect(nearest(name, names)).toBe(meant);
    expect(didYouMean(name, names)).toBe(meant === null ? "" : ` (did you mean "${meant}"?)`);
  });
});

test("names are compared until four million pairs of letters were, and no further", () => {
  const name = "a".repeat(1000);
  const near = `${name.slice(1)}b`;
  const far = (count: number) => Array.from({ length: count }, () => "c".repeat(1000));
  expect(nearest(name, [...far(3), near])).toBe(near); // the fourth million
  expect(nearest(name, [...far(4), near])).toBe(null);
});

describe("tables", () => {
  const heads = [{ head: ["name"] }, { head: ["two", "lines"], align: "right" }, { head: [] }] as const;
  const rows = [
    ["日本", "1", ""],
    ["a", "22", { text: "bad", style: "bad" }],
  ] as const;

  test("columns are aligned in columns of the terminal, and headings at the bottom", () => {
    expect(table(columnsFrom(heads, rows), plain)).toEqual([
      "        two",
      "name  lines",
      "日本      1",
      "a        22  bad",
    ]);
  });

  test("colour changes no column", () => {
    const coloured = table(columnsFrom(heads, rows), painter(true));
    expect(coloured.map(stripVTControlCharacters)).toEqual(table(columnsFrom(heads, rows), plain));
    expect(coloured[1]).toContain("\u001b[2mname\u001b[0m");
    expect(coloured.at(-1)?.endsWith("22  \u001b[1;31mbad\u001b[0m")).toBe(true);
  });

  test("columns that do not fit are in further tables below, each with the first column", () => {
    const columns = columnsFrom(
      ["n", "aaaa", "bbbb", "cccc"].map((head) => ({ head: [head] })),
      [["1", "2", "3", "4"]],
    );
    expect(tables(columns, plain, 13)).toEqual(["n  aaaa  bbbb", "1  2     3", "", "n  cccc", "1  4"]);
    expect(tables(columns, plain, 3)).toHaveLength(3 * 2 + 2); // at least one other column
    expect(tables(columns, plain, 80)).toEqual(table(columns, plain));
    expect(tables([], plain, 80)).toEqual([]);
  });

  test("a cell of several pieces has a space between them, and gaps can be chosen", () => {
    const cells = [[{ text: "a" }, { text: "b" }], [{ text: "c" }]];
    expect(table([{ head: [], cells, align: "center", gap: 1 }], plain)).toEqual([" a b", "  c"]);
    expect(table([], plain)).toEqual([]);
  });
});

test("a table in Markdown has a rule that aligns numbers to the right", () => {
  const rows = [["x", "1"]];
  expect(markdownTable(["a", "b"], rows)).toEqual(["| a | b |", "| --- | --- |", "| x | 1 |"]);
  expect(markdownTable(["a", "b"], rows, { numbers: true })[1]).toBe("| --- | ---: |");
});

describe("wrapping", () => {
  test("lines break between words and are no wider than the terminal", () => {
    expect(wrap(words("aa bb cc dd"), 5, plain)).toEqual(["aa bb", "cc dd"]);
    expect(wrap(words("aa bb"), 4, plain)).toEqual(["aa", "bb"]);
    expect(wrap(words("日本 語語 a"), 9, plain)).toEqual(["日本 語語", "a"]);
    expect(wrap(words("a toolongword b"), 4, plain)).toEqual(["a", "toolongword", "b"]);
    expect(heading("one two", painter(true), 4)).toBe("\u001b[1mone\u001b[0m\n\u001b[1mtwo\u001b[0m");
  });

  test("a paragraph follows its head and is indented", () => {
    expect(paragraph("! ", 2, "aa bb cc", plain, 7)).toBe("! aa bb\n  cc");
  });
});

describe("colour", () => {
  test("is shown on a terminal only, and neither under NO_COLOR nor on a dumb terminal", () => {
    const terminal = { isTTY: true };
    expect(showsColour(terminal, { TERM: "xterm" })).toBe(true);
    expect(showsColour({ isTTY: false }, { TERM: "xterm" })).toBe(false);
    expect(showsColour({}, {})).toBe(false);
    expect(showsColour(terminal, { TERM: "xterm", NO_COLOR: "1" })).toBe(false);
    expect(showsColour(terminal, { TERM: "dumb" })).toBe(false);
  });

  test("marks words and leaves the spaces around them", () => {
    const paint = painter(true);
    expect(paint("  a b ", "faint")).toBe("  \u001b[2ma b\u001b[0m ");
    expect([paint("a"), paint("   ", "good"), plain("a", "bad")]).toEqual(["a", "   ", "a"]);
  });

  test("images have colours of their own, which differ from the colour of errors", () => {
    const codes = [1, 2, 3, 4, 5].map((image) => painter(true)("x", image));
    expect(new Set(codes).size).toBe(5);
    expect(codes.filter((code) => code.includes("31m"))).toEqual([]);
    expect(painter(true)("x", 6)).toBe(codes[0]);
  });
});

test("a progress bar is drawn on a terminal only, within its width", () => {
  const written: string[] = [];
  const stream = (isTTY: boolean) => ({ isTTY, columns: 60, write: (text: string) => written.push(text) });
  const none = progressOn(stream(false));
  none.step(1, 2, "case");
  none.clear();
  expect(written).toEqual([]);
  const bar = progressOn(stream(true));
  bar.step(1, 2, "日本\u001b[2J".repeat(40));
  const line = stripVTControlCharacters(written.join("")).replace("\r", "");
  expect(line).toMatch(/^━{12}╌{12} 1\/2 日本\\u\{1b\}\[2J/);
  expect(widthOf(line)).toBeLessThanOrEqual(60);
  bar.clear();
  expect(stripVTControlCharacters(written.at(-1) ?? "")).toBe("\r");
});

test("a progress bar shrinks with the terminal, so that it never takes a second line", () => {
  const drawn = (columns: number): string => {
    let text = "";
    progressOn({ isTTY: true, columns, write: (more) => (text += more) }).step(54, 257, "MiB");
    return stripVTControlCharacters(text).replace("\r", "");
  };
  expect(drawn(0)).toBe(drawn(80));
  expect(drawn(80)).toBe(`${"━".repeat(5)}${"╌".repeat(19)} 54/257 MiB`);
  expect(drawn(20)).toBe(`${"━".repeat(3)}${"╌".repeat(9)} 54/257`);
  expect(drawn(8)).toBe("54/257 ");
  expect(drawn(5)).toBe("54/2");
});
