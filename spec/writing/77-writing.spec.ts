// The executable half of 77-writing.md. The model is a Markov chain whose table is given, so expected texts are read from the table.
import { beforeAll, describe, expect, test } from "vitest";
import { loadTokenizer } from "../../src/io/tokenizers/load.ts";
import { loadPretrained } from "../../src/pretrained/load-pretrained.ts";
import { endTokensOf } from "../../src/writing/end-tokens.ts";
import { RowText } from "../../src/writing/row-text.ts";
import {
  type Piece,
  type TextModel,
  type WriteOptions,
  writeBeams,
  writeText,
} from "../../src/writing/write-text.ts";
import {
  beamsBeatGreedy,
  bytesOf,
  chainOf,
  END,
  idOf,
  path,
  USER,
  writeChainFolder,
} from "../support/fixtures/folders/chain-folder.ts";
import { folders } from "../support/fixtures/temporary.ts";

const [A, C, D] = [idOf("A"), idOf("C"), idOf("D")];
const chain = chainOf(
  [path("abcd."), bytesOf("xyx"), path("wé👍"), [...bytesOf("u"), USER, ...path("v")]],
  beamsBeatGreedy(),
);

const fresh = folders();
let model: TextModel;
async function open(folder: string): Promise<TextModel> {
  return { model: await loadPretrained(folder), tokenizer: await loadTokenizer(folder) };
}
beforeAll(async () => {
  model = await open(writeChainFolder(fresh(), { chain }));
});

async function pieces(
  prompts: readonly string[],
  options: Partial<WriteOptions> = {},
  of = model,
): Promise<Piece[]> {
  const found: Piece[] = [];
  const ids = prompts.map(bytesOf);
  for await (const piece of writeText(of, ids, { maxTokens: 20, ...options })) found.push(piece);
  return found;
}
const textOf = (all: readonly Piece[], row = 0): string =>
  all
    .filter((piece) => piece.row === row)
    .map(({ text }) => text)
    .join("");
const idsOf = (all: readonly Piece[], row = 0): number[] =>
  all.flatMap((piece) => (piece.row === row && piece.token ? [piece.token.id] : []));
const finishOf = (all: readonly Piece[], row = 0) =>
  all.filter((piece) => piece.row === row).map(({ finish }) => finish);

test("[write.pieces] [write.finish] text comes with its tokens, and the last piece has the reason for the end", async () => {
  const all = await pieces(["a"]);
  expect(all.map(({ text }) => text)).toEqual(["b", "c", "d", ".", ""]);
  expect(idsOf(all)).toEqual([...bytesOf("bcd."), END]);
  expect(finishOf(all)).toEqual([null, null, null, null, { reason: "end", id: END }]);
});

test("[write.pieces] a character comes with its last byte, and special tokens have no text", async () => {
  expect((await pieces(["w"])).map(({ text }) => text)).toEqual(["", "é", "", "", "", "👍", ""]);
  expect(textOf(await pieces(["u"]))).toBe("v");
});

test("[write.pieces] rows of a batch have the texts that they have alone", async () => {
  const all = await pieces(["xyxyx", "a", "c"], { maxTokens: 6 });
  expect([0, 1, 2].map((row) => textOf(all, row))).toEqual(["yxyxyx", "bcd.", "d."]);
  expect([0, 1, 2].map((row) => finishOf(all, row).at(-1)?.reason)).toEqual(["length", "end", "end"]);
});

describe("stop strings", () => {
  test("[write.stop-strings] a text ends before a stop string that lies across tokens", async () => {
    const all = await pieces(["x"], { stopStrings: ["never", "xyx"] });
    expect(textOf(all)).toBe("y");
    expect(idsOf(all)).toEqual(bytesOf("yxyx"));
    expect(finishOf(all).at(-1)).toEqual({ reason: "stop", string: "xyx" });
  });

  test("[write.stop-strings] text that turns out to be no stop string is given out", async () => {
    const all = await pieces(["a"], { stopStrings: ["cx", "d.!"] });
    expect(all.map(({ text }) => text)).toEqual(["b", "", "c", "", "d."]);
  });

  test.each([
    [["ab", "c"], ["xxcab"], ["xx", ""], "c"],
    [["aab"], ["a", "a", "a", "b"], ["", "", "a", "", ""], "aab"],
    [["b", "bc"], ["abc"], ["a", ""], "b"],
    [["zz"], ["az", "b", "z"], ["a", "zb", "", "z"], null],
  ] as const)("[write.stop-strings] %j", (strings, given, texts, stop) => {
    const letters: string[] = [...given];
    const row = new RowText({ push: () => letters.shift() ?? "", end: () => "" }, strings);
    const out = given.map((_, i) => row.push(i));
    expect([...out, row.end()]).toEqual(texts);
    expect(row.stopString).toBe(stop);
  });

  test("[write.stop-strings] beams end before it, too", async () => {
    const [[best] = []] = await writeBeams(model, [bytesOf("a")], {
      maxTokens: 9,
      beams: 2,
      stopStrings: ["d"],
    });
    expect(best).toMatchObject({ text: "bc", ids: bytesOf("bcd"), finish: { reason: "stop", string: "d" } });
  });
});

describe("end tokens", () => {
  const tokenizer = { eos: 7 };
  test.each([
    [{ eos_token_id: 3 }, { eos_token_id: [4, 5] }, [4, 5]],
    [{ eos_token_id: 3 }, {}, [3]],
    [{ eos_token_id: 0 }, null, [0]],
    [{ eos_token_id: null }, { eos_token_id: [] }, [7]],
    [{ eos_token_id: "2" }, { eos_token_id: -1 }, [7]],
  ])("[write.end] config %j, generation_config %j", (config, generationConfig, ids) => {
    expect(endTokensOf({ config, generationConfig }, tokenizer)).toEqual(ids);
  });

  test("[write.end] without any, texts end by their length", async () => {
    expect(endTokensOf({ config: {}, generationConfig: null }, { eos: null })).toEqual([]);
    const folder = writeChainFolder(fresh(), {
      chain,
      files: { "generation_config.json": {}, "tokenizer_config.json": {} },
    });
    const all = await pieces(["a"], { maxTokens: 5 }, await open(folder));
    expect(finishOf(all).at(-1)).toEqual({ reason: "length" });
  });

  test("[write.end] every one of several ends a text", async () => {
    const files = { "generation_config.json": { eos_token_id: [END, ...bytesOf("c")] } };
    const all = await pieces(["a"], {}, await open(writeChainFolder(fresh(), { chain, files })));
    expect([textOf(all), finishOf(all).at(-1)]).toEqual(["bc", { reason: "end", id: bytesOf("c")[0] }]);
  });

  test("[write.end] sampling defaults of generation_config.json are not applied", async () => {
    // The folder has do_sample and a temperature of 9, with which the text would be another one.
    expect(textOf(await pieces(["x"], { maxTokens: 12 }))).toBe("yx".repeat(6));
  });
});

describe("lengths", () => {
  test("[write.length] prompt and text have at most as many tokens as the configuration allows", async () => {
    const all = await pieces(["x".repeat(60)], { maxTokens: 20 }); // 64 positions
    expect([idsOf(all).length, finishOf(all).at(-1)?.reason]).toEqual([4, "length"]);
    expect(idsOf(await pieces(["x".repeat(63)])).length).toBe(1);
  });

  test("[write.length] a prompt that leaves no room is refused", async () => {
    await expect(pieces(["a", "x".repeat(64)])).rejects.toThrow(
      "a prompt has 64 tokens, and a text of this model at most 64, the prompt included; shorten the prompt",
    );
  });
});

describe("an aborted signal", () => {
  test("[write.abort] an aborted signal ends the rows with their text", async () => {
    const controller = new AbortController();
    const all: Piece[] = [];
    const options = { maxTokens: 30, signal: controller.signal, stopStrings: ["xyz"] };
    for await (const piece of writeText(model, [bytesOf("x"), bytesOf("c")], options)) {
      all.push(piece);
      if (idsOf(all).length === 5) controller.abort();
    }
    expect(textOf(all)).toBe("yxyxy"); // with "xy", which may begin the stop string
    expect([finishOf(all).at(-1)?.reason, finishOf(all, 1).at(-1)?.reason]).toEqual(["abort", "end"]);
  });

  test("[write.abort] other errors are thrown, also those of a signal that is not aborted", async () => {
    const options = { signal: new AbortController().signal, stop: 9999 };
    await expect(pieces(["a"], options)).rejects.toThrow("stop is 9999");
  });
});

test("[write.beams] the most probable texts, best first, with their scores", async () => {
  const greedy = await pieces(["A"]);
  expect(textOf(greedy)).toBe("BE");
  const found = await writeBeams(model, [[A], bytesOf("c")], {
    maxTokens: 5,
    beams: 2,
    returns: 2,
    lengthPenalty: 0,
  });
  expect(found.map((beams) => beams[0]?.text)).toEqual(["CD", "d."]);
  const [best, second] = found[0] ?? [];
  expect(best).toMatchObject({ ids: [C, D, END], finish: { reason: "end", id: END } });
  expect(best?.score).toBeCloseTo(Math.log(0.4 * 0.9), 5);
  expect(second?.score).toBeCloseTo(Math.log(0.6 * 0.25), 5);
});
