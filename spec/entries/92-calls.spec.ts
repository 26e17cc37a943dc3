// Public functions called from JavaScript without their options or operands: the error is one of the package, in a sentence.
import { expect, test } from "vitest";
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
    /A convention is an object|Ids and locations are/,
  ],
  [
    "mediaLocations of a list",
    () => loose(masks.mediaLocations)([1, 2], 1),
    /Ids and locations are \{ shape/,
  ],
  ["textTime without locations", () => loose(masks.textTime)(), /Ids and locations are/],
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
