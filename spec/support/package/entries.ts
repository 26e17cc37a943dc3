// The names that each entry of the package exports, read from the entry files.

/** A name of an entry, and the name under which its file declares it. */
interface Exported {
  readonly name: string;
  readonly from: string;
}

export type Entries = ReadonlyMap<string, readonly Exported[]>;

const ENTRY = /^(?:entries\/)?([a-z0-9-]+)\.ts$/;

/** The entries among files (path below src -> text): those of src/entries and src/index.ts. */
export const entriesOf = (files: ReadonlyMap<string, string>): Entries =>
  new Map(
    [...files].flatMap(([path, text]) => {
      const [, name] = ENTRY.exec(path) ?? [];
      return name === undefined ? [] : [[name, namesIn(text)] as const];
    }),
  );

const namesIn = (text: string): Exported[] =>
  [...text.matchAll(/^export (?:type )?\{([^}]*)\} from/gm)].flatMap(([, list = ""]) =>
    list
      .split(",")
      .map((word) => word.trim().replace(/^type /, ""))
      .filter((word) => word !== "")
      .map((word) => {
        const [from = word, name = from] = word.split(" as ");
        return { name, from };
      }),
  );

/** Names that several entries export, a line each. */
export function sharedNames(entries: Entries): string[] {
  const owners = new Map<string, string[]>();
  for (const [entry, names] of entries)
    for (const { name } of names) owners.set(name, [...(owners.get(name) ?? []), entry]);
  return [...owners]
    .filter(([, list]) => list.length > 1)
    .map(([name, list]) => `${name} is exported by ${list.join(" and ")}`);
}

/** Words that say nothing without their file. `run`, `where` and `check` (of /conformance) stand: they are what their entry is for. */
const GENERIC = new Set(
  "explain locate strings leaks clip accumulate compare describe probe summarise tour report text Source Step Reason Counts Difference Finding Violation Summary Selection Adapter Candidate Explanation Options Result Report".split(
    " ",
  ),
);

/** Generic words that entries export, a line each. */
export const genericNames = (entries: Entries): string[] =>
  [...entries].flatMap(([entry, names]) =>
    names.filter(({ name }) => GENERIC.has(name)).map(({ name }) => `${entry} exports ${name}`),
  );
