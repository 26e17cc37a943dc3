// The checks of the comparison. Each yields { name, problem, remark }: the problem is null where the check has passed.
import { join } from "node:path";
import * as own from "./ours.mjs";

const { reference } = await import("../../../../dist/index.js");
const { loadSafetensors } = await import("../../../../dist/entries/io.js");

/** Errors may be so many times the distance of torch's float32 from its float64. */
const NOISES = 8;
/** Of the greedy continuations so many have to reach their last token. */
const LEAST = 15;

const same = (a, b) => a.length === b.length && a.every((value, i) => value === b[i]);
const largest = (errors) => errors.reduce((worst, error) => (worst >= error ? worst : error), 0); // NaN stays
const digits = (x) => x.toPrecision(3);
const within = (error, bound) =>
  error <= bound ? null : `differs by ${digits(error)}, more than ${digits(bound)}`;

export function* ids(model, prompts, table) {
  for (const prompt of prompts) {
    const found = own.idsOf(model, prompt);
    const at = found.findIndex((id, i) => id !== table.prompts[prompt.name].ids[i]);
    const equal = same(found, table.prompts[prompt.name].ids);
    yield {
      name: `ids of ${prompt.name}`,
      problem: equal ? null : at < 0 ? "another length" : `another id at ${at}`,
    };
  }
}

/** The errors of the logits that the table lists, and of the logarithm of the sum of all exponentials. */
function* listedErrors(row, logits, fixed) {
  for (const [i, id] of [...row.top, ...fixed].entries()) yield Math.abs(logits[id] - row.logits[i]);
  yield Math.abs(own.logSumExp(logits) - row.logSumExp);
}

/** The errors of all logits of all positions. */
function* allErrors(rows, exact) {
  for (const [i, logits] of rows.entries())
    for (const [id, value] of logits.entries()) yield Math.abs(value - exact[i * logits.length + id]);
}

/** `exact` reads a prompt's complete logits in float64; null: those that the table lists are compared. */
export async function* logits(model, table, exact) {
  for (const [name, { ids, noise, rows }] of Object.entries(table.prompts)) {
    const first = rows[0].position;
    const found = await own.logitsOf(model, ids, first);
    const errors = exact
      ? allErrors(found, exact(name))
      : rows.flatMap((row) => [...listedErrors(row, found[row.position - first], table.fixedTokens)]);
    const error = largest([...errors]);
    const problem = within(error, NOISES * noise);
    const remark = `${digits(error / noise)} × torch's float32, ${found.length} positions`;
    yield { name: `logits of ${name}`, problem, remark, ratio: error / noise };
  }
}

export async function* greedy(model, table, speeds) {
  let reached = 0;
  for (const [name, { tokens, end, smallestMargin }] of Object.entries(table.greedy)) {
    const found = await own.greedy(model, table.prompts[name].ids, tokens.length);
    speeds.push(found.times);
    const length = end ?? tokens.length;
    const at = tokens.slice(0, length).findIndex((id, i) => id !== found.tokens[i]);
    if (at < 0 && end === null) reached++;
    const ended =
      end === null ? "" : `, ended at ${end}, where the two highest are closer than ${table.margin}`;
    yield {
      name: `greedy tokens of ${name}`,
      problem: at < 0 ? null : `token ${at} is ${found.tokens[at]} in place of ${tokens[at]}`,
      remark: `${length} tokens, smallest margin ${smallestMargin}${ended}`,
    };
  }
  const all = Object.keys(table.greedy).length;
  const problem = reached >= LEAST ? null : `fewer than ${LEAST}`;
  yield { name: "greedy continuations to their last token", problem, remark: `${reached} of ${all}` };
}

export async function* beams(model, table, maxTokens) {
  for (const [name, entry] of Object.entries(table.beams)) {
    const { lengthPenalty, earlyStopping, sequences, scores, smallestMargin } = entry;
    const settings = `length penalty ${lengthPenalty}, early stopping ${earlyStopping}`;
    const remark = `${settings}, smallest margin ${smallestMargin}`;
    const found = await own.beams(model, table.prompts[name].ids, entry, maxTokens);
    const at = sequences.findIndex((tokens, i) => !same(tokens, found[i].tokens));
    const isClose = smallestMargin < table.margin;
    if (at >= 0 && isClose) {
      yield {
        name: `beams of ${name}`,
        problem: null,
        remark: `${remark}: beam ${at} differs, too close to count`,
        skipped: true,
      };
      continue;
    }
    // A sum of log-probabilities, each off by twice the error of a logit at most, divided by a power of the length.
    const bound = 2 * NOISES * table.prompts[name].noise * maxTokens;
    const error = largest(scores.map((score, i) => Math.abs(score - found[i].score)));
    yield { name: `beams of ${name}`, problem: at < 0 ? within(error, bound) : `beam ${at} differs`, remark };
  }
}

const PROCESSORS = {
  temperature: { temperature: 0.7 },
  topK: { topK: 50 },
  topP: { topP: 0.9 },
  repetitionPenalty: { repetitionPenalty: 1.3 },
  chain: { repetitionPenalty: 1.3, temperature: 0.7, topK: 50, topP: 0.9 },
};

/** Probabilities that transformers' processors leave of the same logits in float64. `values` reads a tensor of transformers. */
export function* processors(table, values) {
  for (const name of Object.keys(table.beams)) {
    const { ids } = table.prompts[name];
    const logits = values(`${name}.float64`).slice(-49152);
    const errors = Object.entries(PROCESSORS).map(([kind, options]) => {
      const [found, wanted] = [own.probabilities(options, logits, ids), values(`${name}.${kind}`)];
      return largest([...found.map((p, i) => Math.abs(p - wanted[i]))]);
    });
    const error = largest(errors);
    yield { name: `processors on ${name}`, problem: within(error, 1e-12), remark: `error ${digits(error)}` };
  }
}

/** The same model in float64, on the reference backend, whose loops are slow: prompts of at most five tokens. */
export async function* float64(model, table, values) {
  for (const [name, { ids }] of Object.entries(table.prompts).filter(([, one]) => one.ids.length <= 5)) {
    const [found] = await own.logitsOf(model, ids, ids.length - 1, reference());
    const wanted = values(`${name}.float64`).slice(-49152);
    const error = largest([...found.map((x, i) => Math.abs(x - wanted[i]))]);
    yield { name: `float64 of ${name}`, problem: within(error, 1e-10), remark: `error ${digits(error)}` };
  }
}

/** What transformers computes now, against the committed table; ten digits of a logit are committed. */
export function* committed(fresh, table) {
  for (const [name, { ids, rows }] of Object.entries(fresh.prompts)) {
    const before = table.prompts[name];
    const numbers = (entry) => entry.rows.flatMap((row) => [...row.logits, row.logSumExp]);
    const error = before ? largest(numbers({ rows }).map((x, i) => Math.abs(x - numbers(before)[i]))) : 0;
    const tokens = (from) =>
      JSON.stringify([from.greedy[name]?.tokens, from.greedy[name]?.end, from.beams[name]?.sequences]);
    const equal = before && same(ids, before.ids) && tokens(fresh) === tokens(table);
    const problem = equal ? within(error, 1e-7) : "other ids";
    yield { name: `committed table of ${name}`, problem };
  }
}

/** Reads tensors of transformers as float64 values. */
export function valuesIn(folder) {
  const file = loadSafetensors(join(folder, "logits.safetensors"));
  return (name) => Float64Array.from(file.tensor(name).data.data);
}
