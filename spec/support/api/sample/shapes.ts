// Documented shapes beside those of a call: x `b l d` → `b l d`. Equal names are equal sizes, and "..." is the same list of axes everywhere.

type Shape = readonly number[];
type Sizes = Map<string, number>;

/** The patterns of a line, with the names of the arguments before the arrow. */
function patternsOf(line: string): {
  readonly given: readonly (readonly [string, string])[];
  readonly results: string[];
} {
  const [before = "", after = ""] = line.replace(/^`\w+`: /, "").split("→");
  const given = [...before.matchAll(/(?!or )(\b\w+) `([^`]*)`/g)].map(
    ([, name = "", axes = ""]) => [name, axes] as const,
  );
  return { given, results: [...after.matchAll(/`([^`]*)`/g)].map(([, axes = ""]) => axes) };
}

/** The axes of a pattern, each a list of names: "b (n e)" -> [[b], [n, e]]. */
const axesOf = (pattern: string): string[][] =>
  (pattern.match(/\([^()]*\)|[^\s()]+/g) ?? []).map((axis) => axis.replace(/[()]/g, "").split(" "));

/**
 * Binds the names of single axes to sizes; whether all that are bound agree. Joined axes are compared in a second pass, unless one of
 * their names occurs nowhere else.
 */
function fits(pattern: string, shape: Shape, sizes: Sizes, joined: boolean): boolean {
  const axes = axesOf(pattern);
  const dots = axes.findIndex(([name]) => name === "...");
  const spread = shape.length - axes.length + 1;
  if (dots < 0 ? axes.length !== shape.length : spread < 0) return false;
  const names =
    dots < 0
      ? axes
      : [
          ...axes.slice(0, dots),
          ...Array.from({ length: spread }, (_, i) => [`...${i}`]),
          ...axes.slice(dots + 1),
        ];
  if (dots >= 0 && (sizes.get("...") ?? spread) !== spread) return false;
  if (dots >= 0) sizes.set("...", spread);
  return names.every((group, i) => {
    const n = shape[i] ?? 0;
    const [name = ""] = group;
    if (group.length > 1) {
      const parts = group.map((one) => sizes.get(one));
      const isKnown = parts.every((part) => part !== undefined);
      return !joined || !isKnown || n === parts.reduce((product, part) => product * part, 1);
    }
    if (/^\d+$/.test(name)) return n === Number(name);
    const known = sizes.get(name);
    sizes.set(name, known ?? n);
    return known === undefined || known === n;
  });
}

/** The first array of a call that a line does not describe, or null. One pattern of a result stands for all results. */
export function disagreement(
  line: string,
  given: Readonly<Record<string, Shape>>,
  result: readonly Shape[],
): string | null {
  const { given: patterns, results } = patternsOf(line);
  const absent = patterns.find(([name]) => !(name in given)) ?? null;
  if (absent) return `${absent[0]} is described, but not given`;
  const unsaid = Object.keys(given).find((name) => patterns.every(([other]) => other !== name));
  if (unsaid !== undefined) return `${unsaid} is given, but not described`;
  if (results.length !== 1 && results.length !== result.length)
    return `${result.length} results are not ${results.length}`;
  const rows = [
    ...patterns.map(([name, axes]) => ({ what: name, axes, shape: given[name] ?? [] })),
    ...result.map((shape, i) => ({
      what: "the result",
      axes: results[results.length === 1 ? 0 : i] ?? "",
      shape,
    })),
  ];
  const sizes: Sizes = new Map();
  for (const joined of [false, true])
    for (const { what, axes, shape } of rows)
      if (!fits(axes, shape, sizes, joined))
        return `${what} is [${shape.join(" ")}], which is not \`${axes}\``;
  return null;
}
