// SmolLM2 in this project: the model of the folder on the simd backend, its logits, and the texts that it writes. Needs `npm run build`.
import { readFileSync } from "node:fs";
import { join } from "node:path";

const { Int, noPadding, run, slice } = await import("../../../../dist/index.js");
const { loadPretrained, loadTokenizer } = await import("../../../../dist/entries/io.js");
const { beamSearch, stream } = await import("../../../../dist/entries/generation.js");
const { decodingOf, readTokens } = await import("../../../../dist/models/language-model.js");
const { processed, processorsOf } = await import("../../../../dist/generation/processors.js");
const { logProbabilities } = await import("../../../../dist/generation/choose.js");
const { simd } = await import("../../../../dist/entries/simd.js");

export async function open(folder) {
  const [loaded, tokenizer, backend] = await Promise.all([
    loadPretrained(folder),
    loadTokenizer(folder),
    simd(),
  ]);
  return { ...loaded, folder, tokenizer, backend };
}

/** The ids of a prompt of prompts.json. */
export function idsOf({ folder, tokenizer }, prompt) {
  if (prompt.messages)
    return tokenizer.encode(tokenizer.chat(prompt.messages, { generationPrompt: true }), { special: false });
  if (prompt.text !== undefined) return tokenizer.encode(prompt.text);
  const all = tokenizer.encode(readFileSync(join(folder, prompt.file), "utf8"));
  return all.slice(prompt.start, prompt.start + prompt.tokens);
}

/** The logits of the positions from `first` on, one array each. */
export async function logitsOf({ model, backend }, ids, first, on = backend) {
  const l = ids.length;
  const pass = () => {
    const at = { ...decodingOf(noPadding(1, l), l), media: null, visibility: null };
    const { x } = readTokens(model, new Int([1, l], Int32Array.from(ids)), at, null);
    return model.logits(slice(x, 1, first, l));
  };
  const { shape, data } = await run(on, pass, { model });
  const n = shape.at(-1);
  const values = Float64Array.from(data.data);
  return Array.from({ length: l - first }, (_, i) => values.subarray(i * n, (i + 1) * n));
}

/** Tokens that are chosen greedily, whatever they are, with the moment of each in milliseconds since the process began. */
export async function greedy({ writer, backend }, ids, maxTokens) {
  const [tokens, times] = [[], []];
  for await (const [{ id }] of stream(writer, [ids], { stop: [], maxTokens, backend })) {
    tokens.push(id);
    times.push(performance.now());
  }
  return { tokens, times };
}

/** The beams of a prompt, best first. */
export async function beams(
  { writer, backend },
  ids,
  { lengthPenalty, earlyStopping, sequences },
  maxTokens,
) {
  const count = sequences.length;
  const options = { stop: 2, maxTokens, beams: count, returns: count, lengthPenalty, earlyStopping, backend };
  return (await beamSearch(writer, [ids], options))[0];
}

/** The probabilities of the next token that processors leave, from logits. */
export function probabilities(options, logits, ids) {
  const processors = processorsOf(options, { stops: [2], promptLength: ids.length });
  return logProbabilities(processed(processors, logits, ids)).map(Math.exp);
}

export const logSumExp = (logits) => {
  const top = logits.reduce((a, b) => Math.max(a, b));
  return top + Math.log(logits.reduce((sum, x) => sum + Math.exp(x - top), 0));
};
