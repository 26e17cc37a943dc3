// The executable half of 95-figures.md. The figures are read as text: a reader of SVG sees what is written in them.
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { conventions } from "../../../src/masks/conventions/conventions.ts";
import { repository } from "../../support/architecture/tree.mjs";
import { temporary } from "../../support/fixtures/temporary.ts";

const folder = join(repository, "docs/figures");
const names = readdirSync(folder).filter((name) => name.endsWith(".svg"));
const figures = new Map(names.map((name) => [name, readFileSync(join(folder, name), "utf8")]));
const drawn = temporary();

test("the committed figures equal those that the code draws, and there are no others", () => {
  execFileSync(process.execPath, [join(folder, "draw.mjs"), drawn]);
  expect(names.sort()).toEqual(
    ["architecture", "empty-row", "gated-block", "mask", "media-text-time", "resampler"].map(
      (n) => `${n}.svg`,
    ),
  );
  expect(readdirSync(drawn).sort()).toEqual(names);
  for (const [name, text] of figures)
    expect([name, readFileSync(join(drawn, name), "utf8")]).toEqual([name, text]);
});

type Rgb = readonly [number, number, number];
const channel = (value: number): number =>
  value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
/** A colour as linear red, green and blue (sRGB, IEC 61966-2-1). */
const linear = (hex: string): Rgb => {
  const [r = 0, g = 0, b = 0] = [1, 3, 5].map((at) =>
    channel(Number.parseInt(hex.slice(at, at + 2), 16) / 255),
  );
  return [r, g, b];
};
const luminance = ([r, g, b]: Rgb): number => 0.2126 * r + 0.7152 * g + 0.0722 * b;
/** The contrast of WCAG 2.2, from 1 to 21. */
function contrast(one: string, other: string): number {
  const [dark = 0, light = 0] = [one, other].map((hex) => luminance(linear(hex))).sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}

/** Colour vision without one kind of cone: Machado, Oliveira and Fernandes 2009, table 1, severity 1.0. */
const DEFICIENCIES: Readonly<Record<string, readonly Rgb[]>> = {
  protanopia: [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
  deuteranopia: [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881],
  ],
  tritanopia: [
    [1.255528, -0.076749, -0.178779],
    [-0.078411, 0.930809, 0.147602],
    [0.004733, 0.691367, 0.3039],
  ],
};
const dot = (row: Rgb, x: Rgb): number => row[0] * x[0] + row[1] * x[1] + row[2] * x[2];
/** CIE L*a*b* of linear sRGB, with the white point D65. */
function lab(rgb: Rgb): Rgb {
  const xyz = [
    dot([0.4124564, 0.3575761, 0.1804375], rgb) / 0.95047,
    dot([0.2126729, 0.7151522, 0.072175], rgb),
    dot([0.0193339, 0.119192, 0.9503041], rgb) / 1.08883,
  ].map((t) => (t > 216 / 24389 ? Math.cbrt(t) : (24389 / 27 / 116) * t + 16 / 116));
  const [x = 0, y = 0, z = 0] = xyz;
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}
/** ΔE*ab (CIE 1976) of two colours as a reader with a deficiency sees them. About 2.3 is just noticeable. */
function difference(one: string, other: string, rows: readonly Rgb[]): number {
  const seen = [one, other].map((hex) => {
    const [r = 0, g = 0, b = 0] = rows.map((row) => Math.min(1, Math.max(0, dot(row, linear(hex)))));
    return lab([r, g, b]);
  });
  const [p = [0, 0, 0], q = [0, 0, 0]] = seen;
  return Math.hypot(p[0] - q[0], p[1] - q[1], p[2] - q[2]);
}

/** The colours of a figure by their names, in the light and in the dark. */
function colours(text: string): Record<"light" | "dark", Record<string, string>> {
  const [style = "", dark = ""] =
    /<style>([\s\S]*)<\/style>/.exec(text)?.[1]?.split("@media(prefers-color-scheme:dark)") ?? [];
  const of = (rules: string) =>
    Object.fromEntries(
      [...rules.matchAll(/\.[fs]-(\w+)\{(?:fill|stroke):(#\w{6})\}/g)].map(([, name, hex]) => [
        name,
        hex ?? "",
      ]),
    );
  return { light: of(style), dark: of(dark) };
}

const GROUNDS = ["paper", "frozen", "trained"];
const IMAGES = ["one", "two", "three"];

describe.each([...figures])("%s", (_, text) => {
  test("has a title and a description, loads nothing and runs nothing", () => {
    expect(text).toMatch(
      /^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg" [^>]*role="img" aria-labelledby="title description">\n<title id="title">[^<]{20,}<\/title>\n<desc id="description">[^<]{60,}<\/desc>/,
    );
    expect(text.replace('xmlns="http://www.w3.org/2000/svg"', "")).not.toMatch(
      /https?:|url\(|@import|@font-face|<script|<image|<use|href|\bon\w+=/,
    );
  });

  test("text is at least 11 pixels high where the figure is 380 pixels wide", () => {
    const [, width] = /viewBox="0 0 (\d+) \d+"/.exec(text) ?? [];
    const sizes = [...text.matchAll(/font(?:-size)?:\s*(\d+)px/g)].map(([, size]) => Number(size));
    expect(sizes).toHaveLength(1); // no text has a size of its own
    expect(text).not.toMatch(/font-size|transform=/);
    expect(((sizes[0] ?? 0) * 380) / Number(width)).toBeGreaterThanOrEqual(11);
  });

  test.each(["light", "dark"] as const)("text and lines stand out on a %s page", (scheme) => {
    const palette = colours(text)[scheme];
    const textColours = new Set(
      [...text.matchAll(/<text [^>]*class="f-(\w+)/g)].map(([, name]) => name ?? ""),
    );
    expect(Object.keys(palette).length).toBeGreaterThanOrEqual(4);
    const at = (name: string): string => palette[name] ?? "";
    for (const name of textColours)
      for (const ground of name === "paper" ? IMAGES : GROUNDS)
        if (ground in palette && (ground === "paper" || ["ink", "faint", "paper"].includes(name)))
          expect([name, ground, contrast(at(name), at(ground)) >= 4.5]).toEqual([name, ground, true]);
    for (const name of ["line", "alarm", ...IMAGES])
      if (name in palette) expect([name, contrast(at(name), at("paper")) >= 3]).toEqual([name, true]);
  });

  test.each(Object.entries(DEFICIENCIES))("the images' colours differ under %s", (_name, rows) => {
    for (const palette of Object.values(colours(text))) {
      const images = IMAGES.flatMap((name) => palette[name] ?? []);
      for (const [i, one] of images.entries())
        for (const other of images.slice(i + 1)) expect(difference(one, other, rows)).toBeGreaterThan(15);
    }
  });
});

test("the contrast and the difference are those of the standards", () => {
  expect(contrast("#000000", "#ffffff")).toBeCloseTo(21, 10); // WCAG 2.2, relative luminance 0 and 1
  expect(contrast("#777777", "#ffffff")).toBeCloseTo(4.48, 2); // the usual example of a grey that just fails
  const identity: Rgb[] = [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ];
  expect(difference("#000000", "#ffffff", identity)).toBeCloseTo(100, 3); // L* runs from 0 to 100
  const [red, green] = ["#c00000", "#308000"]; // different, but not to a reader without the middle cones
  expect(difference(red, green, identity)).toBeGreaterThan(
    3 * difference(red, green, DEFICIENCIES.deuteranopia ?? []),
  );
});

test("every convention has its place in the tree of empty rows", () => {
  const tree = figures.get("empty-row.svg") ?? "";
  const lines = [...tree.matchAll(/<text [^>]*>([^<]*)<\/text>/g)].map(([, line]) => line ?? "");
  for (const { name } of Object.values(conventions))
    expect([
      name,
      lines.filter((line) => line === name || line === `${name} *` || line === `${name} has no such row`)
        .length > 0,
    ]).toEqual([name, true]);
});
