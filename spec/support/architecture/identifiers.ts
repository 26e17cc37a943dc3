// Words that earlier versions used for concepts with an established name. The list keeps them out of identifiers, of file
// names and, where they have no ordinary meaning, of test titles and prose.
import type { Files } from "./imports.ts";
import { lineOf, nodesOf, parse, strings } from "./syntax.mjs";

/** A word as it would occur in an identifier, and the term to use. */
const RENAMED: Readonly<Record<string, string>> = {
  crew: "thread pool",
  workbench: "launcher",
  residents: "device buffers",
  heard: "post-softmax mask",
  audible: "visible",
  loud: "kept",
  sight: "visibility",
  fate: "outcome",
  silentBeforeFirstImage: "zeroBeforeFirstImage",
  sightOf: "visibility",
  rowClass: "outcome",
  recompute: "gradient checkpointing",
  peakNumbers: "peakLiveElements",
  sumTo: "unbroadcast",
  geluSlope: "geluGrad",
  gammaLayerNorm: "PaLMLayerNorm",
  subjectOf: "system under test",
  trialOf: "evaluation",
  anatomy: "pattern matchers",
  strays: "mismatches",
  strayed: "mismatches",
  parted: "mismatches",
  departures: "mismatches",
  telling: "distinguishing",
  contestant: "target",
  patience: "timing options",
  registerGflops: "peak FLOP/s",
  wake: "train mode",
  wakes: "train mode",
  nothingElse: "rejectUnknown",
  lookedAt: "attentionMaps",
  soil: "fill",
  pretend: "fake",
  pretended: "fake",
  told: "reported",
  said: "reported",
  sofar: "accumulated",
  census: "comparison table",
  hopeless: "an error with a reason",
};

/** The part of the list that has no ordinary meaning in prose. */
const PROSE = /\b(crew|workbench|census|geluSlope|GammaLayerNorm|the house|in the house)\b/i;

/** "trainWakesEncoder" and "train-wakes-encoder" -> " train wakes encoder " */
const spaced = (name: string): string =>
  ` ${name
    .replace(/([a-z0-9])([A-Z])|([A-Z])([A-Z][a-z])/g, "$1$3 $2$4")
    .replace(/[^A-Za-z0-9]+/g, " ")
    .toLowerCase()} `;

const banned = Object.entries(RENAMED).map(([word, term]) => [spaced(word), term] as const);

function termFor(name: string): string | undefined {
  const words = spaced(name);
  return banned.find(([word]) => words.includes(word))?.[1];
}

const isName = ({ type }: { type: string }): boolean => type === "Identifier" || type === "PrivateIdentifier";

/** Identifiers and file names that contain a word of the list. */
export const renamedIdentifiers = (files: Files): string[] =>
  [...files].flatMap(([path, text]) => {
    const term = termFor(path);
    const inPath = term === undefined ? [] : [`${path}: the term is ${term}`];
    const source = parse(path, text);
    const inCode = nodesOf(source, isName).flatMap(({ node }) => {
      const name = String(node.name);
      const term = termFor(name);
      return term === undefined ? [] : [`${path}:${lineOf(text, node.start)} ${name}: the term is ${term}`];
    });
    return [...new Set([...inPath, ...inCode])];
  });

/** Words of the list in strings and comments of code: test titles, messages, explanations. */
export const renamedWords = (files: Files): string[] =>
  [...files].flatMap(([path, text]) => {
    const source = parse(path, text);
    return [...strings(source), ...source.comments]
      .filter(({ value }) => PROSE.test(value))
      .map(({ start }) => `${path}:${lineOf(text, start)} ${PROSE.exec(text.slice(start))?.[0]}`);
  });

/** The same words in documents. */
export const renamedProse = (documents: Files): string[] =>
  [...documents].flatMap(([path, text]) =>
    text.split("\n").flatMap((line, i) => {
      const word = PROSE.exec(line)?.[0];
      return word === undefined ? [] : [`${path}:${i + 1} ${word}`];
    }),
  );
