// Mutates every cited line in turn and lists the mutations that the tests of its rule do not notice. breaks.mjs makes the mutations.

/** An entry of survivors.json is about the same edit of the same rule in the same file. */
const isSame = (a, b) => ["path", "id", "before", "after"].every((key) => a[key] === b[key]);

/**
 * `citations` as breaks.mjs makes them; `notices(citation, variant, job)` resolves to whether the tests of the rule fail;
 * `known` are survivors with reasons; `until()` is false when the time is up. `report` lists the findings, a line each.
 */
export async function findSurvivors(
  citations,
  notices,
  { known = [], jobs = 1, log = () => {}, until = () => true } = {},
) {
  const breakable = new Set(citations.filter(({ variants }) => variants.length > 0).map(({ id }) => id));
  const inert = citations.filter(({ variants, id }) => variants.length === 0 && !breakable.has(id));
  const queue = citations.filter(({ variants }) => variants.length > 0);
  const total = queue.length;
  const survivors = [];
  const explained = new Set();
  const counts = { lines: 0, variants: 0 };

  const isUnexplained = ({ path, id }, { before, after, line }) => {
    const entry = known.find((other) => isSame(other, { path, id, before, after }));
    if (entry) explained.add(entry);
    else survivors.push({ path, id, line, before, after });
    return !entry;
  };
  const unnoticedOf = async (citation, job) => {
    const unnoticed = [];
    for (const variant of citation.variants) {
      counts.variants++;
      if (!(await notices(citation, variant, job))) unnoticed.push(variant);
      else if (!citation.every) return []; // one place of many is enough
    }
    return unnoticed.filter((variant) => isUnexplained(citation, variant));
  };
  const work = async (job) => {
    while (queue.length > 0 && until()) {
      const citation = queue.shift();
      const unnoticed = await unnoticedOf(citation, job);
      const edits = unnoticed.map(({ before, after }) => `\n      ${before}  ->  ${after}`).join("");
      const place = `${citation.path}:${citation.line} [${citation.id}]`;
      log(`${++counts.lines}/${total} ${place} ${edits === "" ? "noticed" : `NOT NOTICED${edits}`}`);
    }
  };
  await Promise.all(Array.from({ length: jobs }, (_, job) => work(job)));

  const isTried = (entry) => citations.some(({ path, id }) => path === entry.path && id === entry.id);
  const obsolete = known.filter((entry) => queue.length === 0 && isTried(entry) && !explained.has(entry));
  return {
    ...counts,
    report: [
      ...survivors.map((s) => `${s.path}:${s.line} [${s.id}] survives ${s.before}  ->  ${s.after}`),
      ...inert.map(({ path, line, id }) => `${path}:${line} [${id}] is cited where no code runs`),
      ...queue.map(({ path, line, id }) => `${path}:${line} [${id}] was not reached in time`),
      ...obsolete.map(
        ({ path, id, before }) => `survivors.json: ${path} [${id}] ${before} is noticed; remove the entry`,
      ),
    ],
  };
}
