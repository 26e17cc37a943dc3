// Which sources of golden cases a run exports again, and what it leaves out.

/** Declared minutes that a run without --all may spend on sources that have changed. */
const BUDGET = 12;

const changedSince = ({ changed }) =>
  changed === null ? "was never verified" : `changed since it was last verified (${changed.join(", ")})`;

const isStale = ({ changed }) => changed === null || changed.length > 0;

/** From the rows of `golden:status --json`: `words` for golden:verify, the reason for that choice, the sources that are left out, as
    sentences, and among them those that had to be exported but do not fit into the budget. */
export function plan(rows, all) {
  const here = rows.filter(({ checkout }) => checkout === null);
  const stale = here.filter(isStale).sort((a, b) => a.minutes - b.minutes);
  const chosen = all ? here : affordable(stale);
  const words = chosen.flatMap(({ name }) => ["--source", name]);
  let reason = all ? "--all exports every source that needs no checkout" : "these sources changed";
  const cheapest = [...here].filter(({ small }) => small).sort((a, b) => a.minutes - b.minutes)[0];
  const small = chosen.length === 0 && stale.length === 0 ? cheapest : undefined;
  if (small) {
    words.push("--source", small.name, "--small");
    reason = `no source changed; ${small.name} is the cheapest, and its full-size cases are left out`;
  }
  const late = stale.filter((row) => !chosen.includes(row));
  const left = rows.filter((row) => !chosen.includes(row)).map((row) => remark(row, row === small));
  const minutes = chosen.reduce((sum, row) => sum + row.minutes, 0);
  return { words, reason, left, late: late.map(({ name }) => name), minutes };
}

/** The cheapest sources whose declared minutes fit into the budget; at least one. */
function affordable(stale) {
  let spent = 0;
  return stale.filter(({ minutes }, i) => {
    spent += minutes;
    return i === 0 || spent <= BUDGET;
  });
}

function remark(row, small) {
  const { name, checkout } = row;
  const what = small ? `the full-size cases of ${name}` : name;
  const state = isStale(row) ? `it ${changedSince(row)}` : "unchanged since it was last verified";
  const needed = checkout ? `; it needs a checkout of ${checkout.repository}` : "";
  return `not exported again here: ${what}: ${state}${needed}`;
}
