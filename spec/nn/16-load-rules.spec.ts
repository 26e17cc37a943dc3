// Rules of 16-state-dict.md for weights that fit a model in part, and the time that unknown names take.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FlamingoPaLM } from "../../src/models/flamingo/flamingo-palm.ts";
import { describeStateDictReport } from "../../src/nn/loading/report-text.ts";
import type { NameRule } from "../../src/nn/loading/rules.ts";
import { PaLMLayerNorm } from "../../src/nn/norms/layer-norm.ts";
import { Parameter, uniform } from "../../src/nn/parameter.ts";
import { loadStateDict, stateDict } from "../../src/nn/state-dict.ts";
import { RuleError } from "../../src/tensor/errors.ts";
import { Bool, type Int, int, Tensor, view } from "../../src/tensor/tensor.ts";
import { weighted } from "../support/oracles/modules.ts";
import { randomTensor } from "../support/properties/arbitraries.ts";
import { valuesOf } from "../support/properties/programs.ts";
import { misfit, refusal } from "../support/properties/refusals.ts";

const tiny = () =>
  new FlamingoPaLM({
    dim: 12,
    numTokens: 9,
    depth: 2,
    dimHead: 4,
    heads: 2,
    crossAttnEvery: 2,
    perceiverNumLatents: 2,
    perceiverDepth: 1,
    maxVideoFrames: 2,
  });
const copy = (model: object): Map<string, Tensor> =>
  new Map(
    [...stateDict(model)].map(([key, t]) => [
      key,
      new Tensor(t.shape, view(Float64Array.from(valuesOf(t)), t.shape)),
    ]),
  );
const values = (model: object, key: string): number[] => valuesOf(stateDict(model).get(key) as Tensor);

/** The lines of the error for weights whose names are changed, after the first one. */
function refusedLines(model: object, change: (key: string) => string): string[] {
  const weights = new Map([...stateDict(model)].map(([key, t]) => [change(key), t]));
  return misfit(() => loadStateDict(model, weights))
    .message.split("\n")
    .slice(1);
}

/** The milliseconds of processor time of a call. */
function processorTime(f: () => unknown): number {
  const before = process.cpuUsage();
  f();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

class Projection {
  weight = new Parameter("d", [2], uniform(1));
}
class ManyLayers {
  readonly layers: readonly { readonly attention: Projection }[];
  constructor(n: number) {
    this.layers = Array.from(
      { length: n },
      () =>
        new (class Layer {
          attention = new Projection();
        })(),
    );
  }
}

const changes: Readonly<Record<string, (key: string) => string>> = {
  prefix: (key) => `module.${key}`,
  wrapper: (key) => key.replace(/(\w+)$/, "_orig_mod.$1"),
  letters: (key) => key.replaceAll("e", "é"),
  reversed: (key) => [...key].reverse().join(""),
  dots: (key) => `${".".repeat(300)}${key}x`,
};

test.each(Object.entries(changes))(
  "[state.prefix] [state.report] names that all differ take linear time: %s",
  (kind, change) => {
    const flamingo = new FlamingoPaLM({
      dim: 4,
      numTokens: 5,
      depth: 94,
      dimHead: 2,
      heads: 2,
      crossAttnEvery: 1,
    });
    expect(stateDict(flamingo).size).toBeGreaterThan(1600);
    const many = new ManyLayers(20_000);
    refusedLines(new ManyLayers(100), change); // compiled
    // 55 s for the 1,600 names when all pairs were compared
    expect(processorTime(() => refusedLines(flamingo, change))).toBeLessThan(400);
    expect(processorTime(() => refusedLines(many, change))).toBeLessThan(2500);
    const sentences = {
      prefix: 'all 20,000 names begin with "module."',
      wrapper: 'all 20,000 names contain "_orig_mod."',
    };
    const lines = refusedLines(many, change);
    if (kind === "prefix" || kind === "wrapper")
      expect(lines).toEqual([expect.stringContaining(sentences[kind])]);
    else expect(lines.slice(0, 2)).toEqual(["  missing:", "    all 20,000 of layers.*"]);
  },
);

test("[state.report] names of millions of dots take linear time, and are cut and escaped", () => {
  const weight = randomTensor([2]);
  for (const name of [".".repeat(2e6), "a.".repeat(1e6), `layers.0.${"attention.".repeat(2e5)}weight`]) {
    const load = () => misfit(() => loadStateDict(new ManyLayers(50), new Map([[name, weight]])));
    expect(processorTime(load)).toBeLessThan(1500);
    expect(load().message.length).toBeLessThan(400);
  }
  const coloured = new Map([["\u001b[31mred\n", weight]]);
  expect(misfit(() => loadStateDict(new PaLMLayerNorm(3), coloured)).message).toContain("\\u{1b}[31mred\\n");
});

describe("rules", () => {
  const source = () => copy(weighted(tiny(), 3));
  const one = randomTensor([1]);

  test("[state.name-rules] a text with stars matches like the search for its parts, in linear time", () => {
    const letters = fc.string({ unit: fc.constantFrom("a", "b", "."), maxLength: 8 });
    const patterns = fc.array(letters, { minLength: 1, maxLength: 4 }).map((parts) => parts.join("*"));
    fc.assert(
      fc.property(patterns, letters, (pattern, name) => {
        fc.pre(pattern !== "" && !pattern.includes("**"));
        // the same as a regular expression, which the tested code does not make from texts
        const expression = new RegExp(`^${pattern.replaceAll(".", "\\.").replaceAll("*", ".*")}$`);
        const weights = new Map([[name, one]]);
        const { report } = misfit(() => loadStateDict(new PaLMLayerNorm(3), weights, { ignore: [pattern] }));
        expect(report.ignored[0]?.names).toEqual(expression.test(name) ? [name] : []);
      }),
      { numRuns: 300 },
    );
    const long = new Map([[`${"ab".repeat(1e6)}c`, one]]);
    const rules = { ignore: ["*aa*aa*aa*aa*x*", "a*b*a*b*a*b*a*d"] };
    const load = () => misfit(() => loadStateDict(new PaLMLayerNorm(3), long, rules));
    expect(processorTime(load)).toBeLessThan(1500);
  });

  test("[state.name-rules] a text is the whole name; an expression is found in it, whatever its flags; a function decides", () => {
    const weights = () => {
      const all = source();
      for (const name of ["token_emb.weight.old", "old.token_emb.weight", "OLD"]) all.set(name, one);
      return all;
    };
    const ignored = (...ignore: readonly NameRule[]) =>
      misfit(() => loadStateDict(tiny(), weights(), { ignore: [...ignore, "nothing"] })).report.ignored.map(
        ({ names }) => names,
      );
    expect(ignored("OLD")).toEqual([["OLD"], []]);
    expect(ignored("old")).toEqual([[], []]);
    expect(ignored("old.*", "*.old")).toEqual([["old.token_emb.weight"], ["token_emb.weight.old"], []]);
    expect(ignored(/^old/gi)).toEqual([["old.token_emb.weight", "OLD"], []]);
    expect(ignored(/old$/y)).toEqual([[], []]); // sticky: found at the start only
    for (const given of [null, 1, ["old"], "old", undefined, Promise.resolve(true)])
      expect(() => ignored(() => given as unknown as boolean)).toThrow(
        /^the rule a function gives .* for ".*"; it must give true or false {2}\[state.name-rules\]$/,
      );
    expect(ignored((name) => name.length === 3)).toEqual([["OLD"], []]);
    loadStateDict(tiny(), weights(), { ignore: [/old/i] });
  });

  test("[state.ignore] ignored integers and booleans do not matter, and are not read from a file", () => {
    const model = tiny();
    const weights = new Map<string, Tensor | Int | Bool>(source());
    weights.set("transformer.h.0.attn.bias", new Bool([1, 1], new Uint8Array(1)));
    weights.set("norm.num_batches_tracked", int("", 3));
    const { report } = misfit(() => loadStateDict(model, weights));
    expect(report.problems.notFloats).toEqual(["transformer.h.0.attn.bias", "norm.num_batches_tracked"]);
    const ignore = ["*.attn.bias", "*.num_batches_tracked"];
    expect(loadStateDict(model, weights, { ignore }).ignored.map(({ names }) => names.length)).toEqual([
      1, 1,
    ]);
    expect(values(model, "token_emb.weight")).toEqual(valuesOf(weights.get("token_emb.weight") as Tensor));

    const read: string[] = [];
    const file = {
      keys: [...weights.keys()],
      get(name: string) {
        read.push(name);
        return weights.get(name) as Tensor;
      },
    };
    loadStateDict(tiny(), file, { ignore });
    expect(read).toEqual([...weights.keys()].filter((name) => !/attn.bias|num_batches/.test(name)));
  });

  test("[state.ignore] a weight that the model has is not loaded either, and is then missing", () => {
    const model = weighted(tiny(), 5);
    const before = values(model, "video_frame_pos_emb");
    const ignore = ["video_frame_pos_emb"];
    expect(misfit(() => loadStateDict(model, source(), { ignore })).report.problems.missing).toEqual(ignore);
    loadStateDict(model, source(), { ignore, optional: ignore });
    expect(values(model, "video_frame_pos_emb")).toEqual(before);
    expect(values(model, "token_emb.weight")).not.toEqual(values(weighted(tiny(), 5), "token_emb.weight"));
  });

  test("[state.rename] the first rule that matches applies, and stars repeat what they stood for", () => {
    const blocks = (name: string) => name.replace(/^layers\.(\d+)\.(.*)$/, "blocks.$1@$2");
    const old = () => new Map([...source()].map(([name, t]) => [`net.${blocks(name)}`, t]));
    const rename = { "net.blocks.*@*": "layers.*.*", "net.*": "*", "*": "never.*" };
    const byFunction = (name: string) => name.replace(/^net\./, "").replace(/^blocks\.(\d+)@/, "layers.$1.");
    for (const renaming of [rename, byFunction]) {
      const model = tiny();
      const report = loadStateDict(model, old(), { rename: renaming });
      for (const [name, t] of source()) expect(values(model, name), name).toEqual(valuesOf(t));
      expect(new Set(report.renamed.flatMap(({ names }) => names))).toEqual(new Set(old().keys()));
    }
    const { renamed } = loadStateDict(tiny(), old(), { rename });
    const layers = [...source().keys()].filter((name) => name.startsWith("layers.")).length;
    expect(renamed.map(({ rule, names }) => [rule, names.length])).toEqual([
      ["net.blocks.*@* -> layers.*.*", layers],
      ["net.* -> *", source().size - layers],
      ["* -> never.*", 0],
    ]);
  });

  test("[state.rename] [state.ignore] ignored names are not renamed", () => {
    const weights = source();
    weights.set("x.extra", one);
    const rename = (name: string) => {
      expect(name).not.toBe("x.extra");
      return name;
    };
    loadStateDict(tiny(), weights, { ignore: ["x.*"], rename });
  });

  test("[state.strip] a prefix and wrappers within names, with the other rules after them", () => {
    const wrapped = (name: string) => `net.${name.replace(/^layers\.(\d)/, "layers.$1._orig_mod")}`;
    const weights = new Map([...source()].map(([name, t]) => [wrapped(name), t]));
    weights.set("net.extra", one);
    expect(misfit(() => loadStateDict(tiny(), weights)).message).toContain('contain "net." or "_orig_mod."');
    const model = tiny();
    const { stripped, ignored } = loadStateDict(model, weights, {
      strip: true,
      ignore: ["extra", "net.extra"],
    });
    for (const [name, t] of source()) expect(values(model, name), name).toEqual(valuesOf(t));
    expect(stripped.map(({ rule, names }) => [rule, names.length])).toEqual([
      ["_orig_mod.", [...source().keys()].filter((name) => name.startsWith("layers.")).length],
      ["net.", source().size + 1],
    ]);
    expect(ignored.map(({ rule, names }) => [rule, names])).toEqual([
      ["extra", ["net.extra"]],
      ["net.extra", []],
    ]);
    expect(
      describeStateDictReport(loadStateDict(tiny(), weights, { strip: true, ignore: ["extra"] })),
    ).toContain(`  "net." removed from ${source().size + 1} names`);
  });

  test("[state.strip] names that fit stay, and two that become one are an error", () => {
    const plain = loadStateDict(tiny(), source(), { strip: true });
    expect(plain.stripped).toEqual([]);
    const both = source();
    both.set("module.token_emb.weight", both.get("token_emb.weight") as Tensor);
    const { collisions } = misfit(() => loadStateDict(tiny(), both, { strip: true })).report.problems;
    expect(collisions).toEqual([
      { name: "token_emb.weight", from: ["token_emb.weight", "module.token_emb.weight"] },
    ]);
    expect(refusal(() => loadStateDict(tiny(), source(), { strip: 1 as never })).rule).toBe("options.values");
  });

  test("[state.usual] rules of a kind of checkpoint follow those of the call, and are reported where they apply", () => {
    const usual = {
      ignore: ["*.unused", "*.mask"],
      rename: { "blocks.*": "layers.*", "head.*": "to_logits.*" },
    };
    const weights = new Map([...source()].map(([name, t]) => [`x.${name.replace(/^layers/, "blocks")}`, t]));
    weights.set("y.mask", one);
    const model = tiny();
    const report = loadStateDict(model, weights, { rename: { "x.*": "*" }, usual });
    for (const [name, t] of source()) expect(values(model, name), name).toEqual(valuesOf(t));
    const layers = [...source().keys()].filter((name) => name.startsWith("layers."));
    expect(report.ignored.map(({ rule, names }) => [rule, names.length])).toEqual([["*.mask", 1]]);
    expect(report.renamed.map(({ rule, names }) => [rule, names.length])).toEqual([
      ["x.* -> *", source().size],
      ["blocks.* -> layers.*", layers.length],
    ]);
    expect(report.renamed[1]?.names[0]).toMatch(/^x\.blocks\./);
    expect(refusal(() => loadStateDict(tiny(), weights, { usual: { drop: [] } as never })).rule).toBe(
      "options.known",
    );
  });

  test("[state.rename] two weights with one new name are an error that names them", () => {
    const weights = source();
    weights.set("ema.token_emb.weight", weights.get("token_emb.weight") as Tensor);
    const error = misfit(() => loadStateDict(tiny(), weights, { rename: { "ema.*": "*" } }));
    expect(error.report.problems.collisions).toEqual([
      { name: "token_emb.weight", from: ["token_emb.weight", "ema.token_emb.weight"] },
    ]);
    expect(error.message).toContain(
      "  renamed to one name:\n    token_emb.weight and ema.token_emb.weight: token_emb.weight",
    );
  });

  test("[state.rename] [state.tied] tied weights are loaded under a new name of either", () => {
    const weights = source();
    const table = weights.get("token_emb.weight") as Tensor;
    for (const name of ["token_emb.weight", "to_logits.1.weight"]) weights.delete(name);
    weights.set("lm_head.weight", table);
    const model = tiny();
    loadStateDict(model, weights, { rename: { "lm_head.weight": "to_logits.1.weight" } });
    expect(values(model, "token_emb.weight")).toEqual(valuesOf(table));
    expect(model.to_logits[1].weight).toBe(model.token_emb.weight);
    weights.delete("lm_head.weight");
    const error = misfit(() => loadStateDict(tiny(), weights));
    expect(error.report.problems.missing).toEqual(["token_emb.weight", "to_logits.1.weight"]);
    const { optional } = loadStateDict(tiny(), weights, { optional: ["token_emb.weight", "to_logits.*"] });
    expect(optional.map(({ names }) => names)).toEqual([["token_emb.weight"], ["to_logits.1.weight"]]);
  });

  test("[state.optional] parameters that a rule allows to be missing keep their values; others are an error, and nothing is loaded", () => {
    const weights = new Map([...source()].filter(([name]) => !name.startsWith("perceiver_resampler.")));
    const model = weighted(tiny(), 8);
    const before = copy(model);
    const absent = [...before.keys()].filter((name) => name.startsWith("perceiver_resampler."));
    const { optional, loaded } = loadStateDict(model, weights, { optional: ["perceiver_resampler.*"] });
    expect(optional).toEqual([{ rule: "perceiver_resampler.*", names: absent }]);
    expect(loaded).toEqual([...weights.keys()]);
    for (const name of absent) expect(values(model, name)).toEqual(valuesOf(before.get(name) as Tensor));
    expect(values(model, "token_emb.weight")).toEqual(valuesOf(weights.get("token_emb.weight") as Tensor));

    weights.delete("video_frame_pos_emb");
    const other = weighted(tiny(), 9);
    const untouched = values(other, "token_emb.weight");
    const error = misfit(() => loadStateDict(other, weights, { optional: ["perceiver_resampler.*"] }));
    expect(error.report.problems.missing).toEqual(["video_frame_pos_emb"]);
    expect(values(other, "token_emb.weight")).toEqual(untouched);
    const misspelt = { optional: ["perceiver_resampler.*", "video_*"] };
    expect(loadStateDict(other, weights, misspelt).optional.map(({ names }) => names.length)).toEqual([
      absent.length,
      1,
    ]);
  });

  test("[state.strict] a misspelt weight is an error, whatever is optional", () => {
    const weights = source();
    weights.set("token_embb.weight", weights.get("token_emb.weight") as Tensor);
    for (const name of ["token_emb.weight", "to_logits.1.weight"]) weights.delete(name);
    expect(
      misfit(() => loadStateDict(tiny(), weights, { optional: ["*"] })).report.problems.unexpected,
    ).toEqual(["token_embb.weight"]);
  });

  test("[state.report] the report is data, and its text groups and counts names by rule", () => {
    const n = source().size;
    const weights = new Map<string, Tensor | Int>([...source()].map(([name, t]) => [`module.${name}`, t]));
    for (let i = 0; i < 1234; i++) weights.set(`vision_encoder.blocks.${i}.masked_bias`, int("", 1));
    weights.delete("module.video_frame_pos_emb");
    const report = loadStateDict(tiny(), weights, {
      ignore: ["vision_encoder.*", "*.position_ids"],
      rename: { "module.*": "*" },
      optional: ["video_*"],
    });
    const layers = [...source().keys()].filter((name) => name.startsWith("layers.")).length;
    const lines = describeStateDictReport(report);
    expect(lines[0]).toBe(`${n - 1} of 1,${n - 1 + 234} weights are loaded into FlamingoPaLM`);
    expect(lines.slice(1, 5)).toEqual([
      "  ignored by vision_encoder.*:",
      "    all 1,234 of vision_encoder.blocks.*",
      "  renamed by module.* -> *:",
      `    all ${n - 1} of module.*`,
    ]);
    expect(lines.slice(5)).toEqual([
      "  not given, but optional by video_*:",
      "    video_frame_pos_emb",
      "  ignore *.position_ids fits no name",
    ]);
    expect(layers).toBeGreaterThan(10);
    for (const name of [...weights.keys()]) if (/^module.layers.*weight$/.test(name)) weights.delete(name);
    const error = misfit(() =>
      loadStateDict(tiny(), weights, { rename: { "module.*": "*" }, optional: ["video_*", "x"] }),
    );
    expect(error.report.problems.unexpected.length).toBe(1234);
    const weightsOfLayers = [...source().keys()].filter((name) => /^layers.*weight$/.test(name)).length;
    expect(error.message).toContain(`    ${weightsOfLayers} of the ${layers} of layers.*`);
    expect(error.message).toContain("    all 1,234 of vision_encoder.blocks.*");
    expect(error.message).toContain("  optional x fits no name");
  });

  test("[options.known] [options.values] [state.rename] unknown and senseless rules are refused, before anything is loaded", () => {
    const wrong: readonly (readonly [object, string])[] = [
      [{ ignored: [] }, 'loadStateDict has no option "ignored"; did you mean "ignore"?'],
      [{ ignore: "a*" }, 'ignore is "a*"; it must be a list of names'],
      [{ ignore: [""] }, "ignore is a list of 1"],
      [{ optional: ["a**b"] }, 'optional is a list of 1; it must be a list of names, in which "*"'],
      [{ optional: [3] }, "optional is a list of 1"],
      [
        { rename: { "a.*": "b" } },
        "rename is an object (Object); it must be a function, or an object such as",
      ],
      [{ rename: { a: 3 } }, "rename is an object"],
      [{ rename: { a: "" } }, "rename is an object"],
      [{ rename: new Map([["a", "b"]]) }, "rename is an object (Map)"],
      [{ rename: ["a"] }, "rename is a list of 1"],
    ];
    const model = weighted(tiny(), 4);
    const before = values(model, "token_emb.weight");
    for (const [rules, message] of wrong)
      expect(refusal(() => loadStateDict(model, source(), rules as never)).message).toContain(message);
    const error = refusal(() => loadStateDict(model, source(), { rename: () => undefined as never }));
    expect(error).toBeInstanceOf(RuleError);
    expect(error.message).toContain('rename gives undefined for "video_frame_pos_emb"; it must give a name');
    expect(values(model, "token_emb.weight")).toEqual(before);
  });
});
