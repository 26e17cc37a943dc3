// Breaks every cited line in turn and asks the tests of its rule: who does not notice? See breaks.mjs for what breaking is.

/** A survivor is known when survivors.json has the same edit of the same rule in the same file. */
const same = (a, b) => ["path", "id", "before", "after"].every((key) => a[key] === b[key]);

/**
 * `citations` as breaks.mjs makes them; `notices(citation, variant, job)` tells whether the tests of the rule fail;
 * `known` are survivors with reasons; `until()` is false when time is up. Returns what is left to say, a line each.
 */
export async function hunt(
  citations,
  notices,
  { known = [], jobs = 1, tell = () => {}, until = () => true } = {},
) {
  const breakable = new Set(citations.filter(({ variants }) => variants.length > 0).map(({ id }) => id));
  const whole = citations.filter(({ id, variants }) => variants.length === 0 && !breakable.has(id));
  const queue = citations.filter(({ variants }) => variants.length > 0);
  const total = queue.length;
  const survivors = [];
  const met = new Set();
  const counts = { lines: 0, variants: 0 };

  const survived = (citation, { before, after, line }) => {
    const { path, id } = citation;
    const reason = known.find((entry) => same(entry, { path, id, before, after }));
    if (reason) met.add(reason);
    else survivors.push({ path, id, line, before, after });
    return !reason;
  };
  const attack = async (citation, job) => {
    const unnoticed = [];
    for (const variant of citation.variants) {
      counts.variants++;
      if (!(await notices(citation, variant, job))) unnoticed.push(variant);
      else if (!citation.every) return []; // one place of many is enough
    }
    return unnoticed.filter((variant) => survived(citation, variant));
  };
  const work = async (job) => {
    while (queue.length > 0 && until()) {
      const citation = queue.shift();
      const unnoticed = await attack(citation, job);
      const verdict = unnoticed.map(({ before, after }) => `\n      ${before}  ->  ${after}`).join("");
      const where = `${citation.path}:${citation.line} [${citation.id}]`;
      tell(`${++counts.lines}/${total} ${where} ${verdict === "" ? "noticed" : `NOT NOTICED${verdict}`}`);
    }
  };
  await Promise.all(Array.from({ length: jobs }, (_, job) => work(job)));

  const left = queue.map(({ path, line, id }) => `${path}:${line} [${id}] was not reached in time`);
  const asked = (entry) => citations.some(({ path, id }) => path === entry.path && id === entry.id);
  return {
    ...counts,
    report: [
      ...survivors.map((s) => `${s.path}:${s.line} [${s.id}] survives ${s.before}  ->  ${s.after}`),
      ...whole.map(({ path, line, id }) => `${path}:${line} [${id}] is cited where nothing runs`),
      ...left,
      ...known
        .filter((entry) => left.length === 0 && asked(entry) && !met.has(entry))
        .map(
          (entry) => `survivors.json: ${entry.path} [${entry.id}] ${entry.before} is noticed now: strike it`,
        ),
    ],
  };
}
