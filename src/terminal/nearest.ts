// The name that a misspelt name probably means.

/** Letters that are compared with letters, at most: further names are not looked at. */
const MOST_WORK = 4_000_000;

/** The Levenshtein distance of two words, whatever the case of their letters. */
function distance(first: string, second: string): number {
  const [a, b] = [first.toLowerCase(), second.toLowerCase()];
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 0; i < a.length; i++) {
    let left = i + 1;
    const next = row.slice(1).map((above, j) => {
      left = Math.min(above + 1, left + 1, (row[j] ?? 0) + Number(a[i] !== b[j]));
      return left;
    });
    row = [i + 1, ...next];
  }
  return row[b.length] ?? 0;
}

/** The name with the fewest changed letters, or null if more than two letters and a quarter of them differ. */
export function nearest(name: string, names: Iterable<string>): string | null {
  let best: string | null = null;
  let limit = Math.min(Math.floor(Math.max(2, name.length / 4)) + 1, name.length); // the number of changes that is too many
  let work = 0;
  for (const other of names) {
    if (Math.abs(other.length - name.length) >= limit) continue;
    work += name.length * other.length;
    if (work > MOST_WORK) break;
    const changes = distance(name, other);
    if (changes < limit) [best, limit] = [other, changes];
  }
  return best;
}

/** ` (did you mean "check"?)` for the nearest name, or nothing. */
export function didYouMean(name: string, names: Iterable<string>): string {
  const near = nearest(name, names);
  return near === null ? "" : ` (did you mean "${near}"?)`;
}

/** The names that end in the given one, after a dot, or else the nearest one: at most `most` of them, for an error. */
export function nearestNames(name: string, names: readonly string[], most = 5): string[] {
  const longer = names.filter((other) => name !== "" && other.endsWith(`.${name}`));
  if (longer.length > 0) return longer.slice(0, most);
  const near = nearest(name, names);
  return near === null ? [] : [near];
}
