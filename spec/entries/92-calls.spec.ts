// Public functions called from JavaScript without their options or operands: the error is one of the package, in a sentence.
import { expect, test } from "vitest";
import * as conformance from "../../src/entries/conformance.ts";
import * as evaluation from "../../src/entries/evaluation.ts";
import * as generation from "../../src/entries/generation.ts";
import * as io from "../../src/entries/io.ts";
import * as masks from "../../src/entries/masks.ts";
import * as nn from "../../src/entries/nn.ts";
import * as training from "../../src/entries/training.ts";
import * as flamboyance from "../../src/index.ts";

type Call = (...args: readonly unknown[]) => unknown;
const loose = (f: unknown) => f as Call;
const made =
  (type: unknown) =>
  (...args: readonly unknown[]) =>
    new (type as new (...args: readonly unknown[]) => object)(...args);
const q = flamboyance.tensor("b l k", [[[1]]]);

test.each<[string, () => unknown, RegExp]>([
  [
    "attention without options",
    () => loose(nn.attention)({}, q, q, q),
    /^attention takes an object of options, not undefined/,
  ],
  [
    "kosmosBatch of empty objects",
    () => loose(flamboyance.kosmosBatch)([{}], 1),
    /layouts\[0\] is an object.*make it with kosmosLayout/,
  ],
  ["kosmosBatch of null", () => loose(flamboyance.kosmosBatch)([null], 1), /layouts\[0\] is null/],
  [
    "TrainableQuery without options",
    () => made(flamboyance.TrainableQuery)(),
    /^TrainableQuery takes an object of options/,
  ],
  [
    "FourierQuery without options",
    () => made(flamboyance.FourierQuery)(null),
    /^FourierQuery takes an object of options, not null/,
  ],
  [
    "saveCheckpoint without a run",
    () => loose(training.saveCheckpoint)("x"),
    /^saveCheckpoint takes an object of options/,
  ],
  [
    "loadCheckpoint without a run",
    () => loose(training.loadCheckpoint)("x"),
    /^loadCheckpoint takes an object of options/,
  ],
  ...Object.entries({
    initialize: flamboyance.initialize,
    stateDict: flamboyance.stateDict,
    parameterNames: flamboyance.parameterNames,
    ties: flamboyance.ties,
  }).map(([name, f]): [string, () => unknown, RegExp] => [
    `${name} without a model`,
    () => loose(f)(),
    /^a model is an object with parameters in its fields, not undefined/,
  ]),
  ...Object.entries({
    trainable: training.trainable,
    weightsDigest: training.weightsDigest,
    decayGroups: training.decayGroups,
  }).map(([name, f]): [string, () => unknown, RegExp] => [`${name} of null`, () => loose(f)(null), /model/]),
  ...Object.entries({
    sumLast: flamboyance.sumLast,
    maxLast: flamboyance.maxLast,
    meanLast: flamboyance.meanLast,
  }).map(([name, f]): [string, () => unknown, RegExp] => [
    `${name} without a tensor`,
    () => loose(f)(),
    /operand 1 must be a tensor, not undefined/,
  ]),
  [
    "drawMask without locations",
    () => loose(masks.drawMask)(),
    /A convention is one such as|Ids and locations are/,
  ],
  [
    "mediaLocations of a list",
    () => loose(masks.mediaLocations)([1, 2], 1),
    /Ids and locations are \{ shape/,
  ],
  ["textTime without locations", () => loose(masks.textTime)(), /Ids and locations are/],
  ["f1 of a number", () => loose(evaluation.f1)(1, "x"), /^f1: answer is of type number; it must be a text/],
  [
    "f1 without the right answer",
    () => loose(evaluation.f1)("x"),
    /^f1: right is undefined; it must be a text/,
  ],
  [
    "accuracy without labels",
    () => loose(evaluation.accuracy)([1]),
    /^accuracy: labels is undefined; it must be a list/,
  ],
  [
    "byteText of a number",
    () => loose(io.byteText)(5),
    /^byteText: ids is of type number; it must be a list or another iterable/,
  ],
  [
    "writeSafetensors of a list",
    () => loose(io.writeSafetensors)([]),
    /^writeSafetensors: tensors is a list; it must be a Map/,
  ],
  ["record of null", () => loose(flamboyance.record)(null), /^record: f is null; it must be a function/],
  [
    "describeMemoryPlan of another object",
    () => loose(io.describeMemoryPlan)({}),
    /^describeMemoryPlan: plan is an object without intermediates; it must be a plan, as memoryPlan/,
  ],
  [
    "resizeImage without an image",
    () => loose(io.resizeImage)(),
    /^resizeImage: image is undefined; it must be an image, as readImage returns it/,
  ],
])("[options.values] %s is refused in a sentence", (_, call, words) => {
  let error: unknown = null;
  try {
    call();
  } catch (thrown) {
    error = thrown;
  }
  const { name, message } = error as Error;
  expect(["RuleError", "ShapeError", "RangeError"]).toContain(name);
  expect(message).toMatch(words);
});

const IN_EVERY_BUNDLE =
  "every bundle of a model, or of a mask, would hold the check; its arguments are typed";

/** Functions whose calls without arguments end in an error of JavaScript, and why they have no check. */
const UNCHECKED: Readonly<Record<string, string>> = {
  scope: IN_EVERY_BUNDLE,
  shapes: IN_EVERY_BUNDLE,
  explainRow: "takes a row of maskRows, and is in the bundle of explainMask",
  reasonClause: "takes a reason of explainRow, and is in the bundle of explainMask",
  rowOutcome: "takes the images of a row of maskRows, for every row that is drawn",
  rowReason: "takes a row of maskRows, and is in the bundle of explainMask",
  tilesOf: "takes the tiles of a prompt, as maskRows does, which checks them",
};

/** A symbol is no message, as for Error itself, and causalMask, which is in every bundle of a model, takes a typed number. */
const NOT_OF_A_SYMBOL = ["Bug", "RuleError", "ShapeError", "causalMask"];

/** The errors of the package: anything else is a mistake in it. */
const OWN = ["RuleError", "ShapeError", "LoadError", "RangeError", "CheckpointError", "StateDictError"];

const isClass = (f: unknown): boolean => /^class\b/.test(Function.prototype.toString.call(f));

/** Calls or constructs, and takes the first step of what it returns: the body of a generator begins there. */
async function begun(f: unknown, args: readonly unknown[]): Promise<void> {
  const result = await (isClass(f) ? made(f)(...args) : loose(f)(...args));
  const { next } = (result ?? {}) as { next?: unknown };
  if (typeof next === "function") await next.call(result);
}

const entries = { flamboyance, nn, masks, training, generation, evaluation, conformance, io };
const functions = Object.entries(entries).flatMap(([entry, names]) =>
  Object.entries(names).flatMap(([name, f]) => (typeof f === "function" ? [[name, entry, f] as const] : [])),
);

test.each(functions.filter(([name]) => !(name in UNCHECKED) && name !== "auto"))(
  "[options.values] %s of %s without arguments runs, or is refused in a sentence",
  async (name, _entry, f) => {
    for (const args of name in masks ? [[]] : [[], [{}]]) {
      const error: unknown = await begun(f, args).then(
        () => null,
        (thrown: unknown) => thrown,
      );
      if (error === null) continue;
      expect(OWN, String(error)).toContain((error as Error).name);
      expect(String(error)).not.toMatch(/Cannot |is not a function|is not iterable|not an instance/);
    }
  },
);

const FIRST_ARGUMENTS: readonly unknown[] = [
  null,
  5,
  1.5,
  -1,
  "x",
  {},
  [],
  new Map([[1, 2]]),
  5n,
  () => 0,
  Symbol("s"),
];

test.each(functions.filter(([name]) => !(name in UNCHECKED) && name !== "auto"))(
  "[options.values] %s of %s given null, a number, a text, an object or a symbol runs, or is refused in a sentence",
  async (name, _entry, f) => {
    for (const first of FIRST_ARGUMENTS) {
      if (/symbol|bigint/.test(typeof first) && NOT_OF_A_SYMBOL.includes(name)) continue;
      const error: unknown = await begun(f, [first]).then(
        () => null,
        (thrown: unknown) => thrown,
      );
      if (error === null) continue;
      expect(OWN, `${typeof first}: ${error}`).toContain((error as Error).name);
      expect(String(error)).not.toMatch(/Cannot |is not a function|is not iterable|not an instance|Invalid/);
    }
  },
);

/** Functions that take a shape or a message, which comes from code: its text is in the error as it is. */
const OF_CODE = [
  ...["Bug", "RuleError", "ShapeError"],
  ...["Tensor", "KeptTensor", "abstractTensor", "arange", "noPadding", "Parameter", "unbroadcast"],
];
const HIDDEN = "x\u001b[31m\u0007y";

test.each(functions.filter(([name]) => !(name in UNCHECKED || OF_CODE.includes(name)) && name !== "auto"))(
  "[io.wording] %s of %s shows no control characters of a text that it refuses",
  async (_name, _entry, f) => {
    for (const args of [
      [HIDDEN],
      [{ [HIDDEN]: HIDDEN }],
      [{}, HIDDEN],
      [new Map([[HIDDEN, 1]])],
      [null, { [HIDDEN]: 1 }],
    ]) {
      const message = await begun(f, args).then(() => "", String);
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these are looked for
      expect(message).not.toMatch(/[\u0000-\u0008\u000b-\u001f]/);
    }
  },
);

test("every exception of the calls without arguments is needed", async () => {
  const all = new Map(functions.map(([name, , f]) => [name, f]));
  for (const name of Object.keys(UNCHECKED))
    await expect(begun(all.get(name), []), name).rejects.toThrow(TypeError);
});
