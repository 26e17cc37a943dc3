// Rules of 80-inspector.md on prompts as they are pasted, on the limits of the page, and on text and files from outside.
import { describe, expect, test } from "vitest";
import { sourceOf } from "../../../src/web/masks/files/slices.ts";
import { traceOf } from "../../../src/web/masks/files/trace.ts";
import { Model } from "../../../src/web/masks/model.ts";
import { addressOf, linkOf, START, type State, stateOf } from "../../../src/web/masks/state.ts";
import { viewOf } from "../../../src/web/masks/view.ts";
import { warningsOf } from "../../../src/web/masks/warnings.ts";
import { explanationOf } from "../../../src/web/masks/words.ts";
import { growth } from "../../support/measure/growth.ts";

const state = (patch: Partial<State> = {}): State => ({ ...START, ...patch });
const sentences = (page: State): string[] => warningsOf(viewOf(page)).map(({ sentence }) => sentence);
const place = (position: number, prompt = 0) => ({ prompt, position, image: 0 });

/** As https://github.com/meta-llama/llama-models writes a chat of Llama 3.2 with an image, blank lines included. */
const CHAT = [
  "<|begin_of_text|><|start_header_id|>user<|end_header_id|>",
  "",
  "<|image|>Describe this image in two sentences.<|eot_id|><|start_header_id|>assistant<|end_header_id|>",
  "",
  "",
].join("\n");
/** As the model card of HuggingFaceM4/idefics-9b-instruct writes a prompt. */
const IDEFICS =
  "User: What is in this image?\n<fake_token_around_image><image><fake_token_around_image><end_of_utterance>\n\nAssistant:";

describe("prompts as they are pasted", () => {
  test("a chat of Llama 3.2 is one prompt, in which only the tokens before its image attend without a mask", () => {
    const page = state({ prompts: [CHAT], convention: "mllama transformers" });
    const { prompts, batch } = viewOf(page);
    const texts = prompts[0]?.map(({ token }) => token.text);
    expect(prompts).toHaveLength(1);
    expect(texts).toEqual([
      ...["<|begin_of_text|>", "<|start_header_id|>", "user", "<|end_header_id|>", "<|image|>"],
      ...["Describe", "this", "image", "in", "two", "sentences", "."],
      ...["<|eot_id|>", "<|start_header_id|>", "assistant", "<|end_header_id|>"],
    ]);
    expect(batch.images).toBe(1);
    expect(sentences(page)).toEqual([
      expect.stringMatching(/^Prompt 0, positions 0 to 3 attend to all images, as if there were no mask/),
    ]);
  });

  test("a prompt of IDEFICS is one prompt, whose tokens in angle brackets stay whole", () => {
    const { prompts, batch } = viewOf(state({ prompts: [IDEFICS], convention: "idefics" }));
    expect(prompts).toHaveLength(1);
    expect(batch.images).toBe(1);
    const special = prompts[0]?.map(({ token }) => token.text).filter((text) => text.startsWith("<"));
    expect(special).toEqual([
      "<fake_token_around_image>",
      "<image>",
      "<fake_token_around_image>",
      "<end_of_utterance>",
    ]);
  });

  test("the image token is that of the convention's codebase, and another one counts as text with a warning", () => {
    const both = ["<image> a <|image|> b"];
    const images = (convention: string) =>
      viewOf(state({ prompts: both, convention })).prompts[0]?.map(({ bands }) => bands[0]?.row.image);
    expect(images("mllama transformers")).toEqual([0, 0, 1, 0]);
    expect(images("idefics")).toEqual([1, 0, 0, 0]);
    expect(sentences(state({ prompts: both, convention: "idefics" }))[0]).toBe(
      "“<|image|>” counts as text, because “<image>” stands for an image in this batch.",
    );
    expect(sentences(state({ prompts: ["a <|image|> b"] }))).toEqual([]);
  });

  test("a token that only looks like an image's counts as text with a warning", () => {
    expect(sentences(state({ prompts: ["a [IMG] b"], convention: "idefics" }))[0]).toBe(
      "No image token occurs, and “[IMG]” counts as text. Write “<image>” for an image, or name another token with --image-token of flamboyance mask.",
    );
    expect(sentences(state({ prompts: ["<image> [IMG]"] })).join(" ")).not.toContain("counts as text");
  });

  test("signs of a command line are text", () => {
    const { prompts } = viewOf(state({ prompts: ["/describe <image>", "--help -"] }));
    expect(prompts.map((tokens) => tokens[0]?.token.text)).toEqual(["/", "-"]);
  });
});

describe("links", () => {
  test("an older link opens the same batch, one prompt per line", () => {
    const old = stateOf("p=A+%3Cimage%3E%0A%0A++%0D%0Ab&c=otter&at=1.0.0");
    expect(old).toEqual(
      state({ prompts: ["A <image>", "b"], convention: "otter", at: { prompt: 1, position: 0, image: 0 } }),
    );
    expect(stateOf("p=").prompts).toEqual([""]);
    expect(stateOf("p=old&prompt=new&prompt=").prompts).toEqual(["new", ""]);
  });

  test("prompts with line breaks, empty ones among them, come back from a link", () => {
    const prompts = [CHAT, "", "a\n\nb", IDEFICS];
    expect(stateOf(addressOf(state({ prompts }))).prompts).toEqual(prompts);
  });

  test("there is no link for a long text, and an unpaired surrogate does not prevent one", () => {
    expect(linkOf(state({ prompts: ["word ".repeat(1000)] }))).toContain("prompt=word");
    expect(linkOf(state({ prompts: ["word ".repeat(20_000)] }))).toBeNull();
    expect(linkOf(state({ prompts: ["é".repeat(30_000)] }))).toBeNull(); // six characters each in an address
    expect(linkOf(state({ prompts: ["a \ud800 b"] }))).toBe("prompt=a+%EF%BF%BD+b");
  });
});

describe("limits", () => {
  test("prompts, characters and tokens beyond the limits are left out, and a warning says so", () => {
    const many = state({ prompts: Array.from({ length: 70 }, (_, b) => `w${b} <image>`) });
    expect(viewOf(many).prompts).toHaveLength(64);
    expect(sentences(many)[0]).toMatch(/^This page shows the first 64 of 70 prompts\./);
    const long = state({ prompts: ["a ".repeat(15_000), "b <image>"] });
    expect(viewOf(long).prompts.map(({ length }) => length)).toEqual([10_000, 10_000]);
    expect(sentences(long)[0]).toMatch(
      /^This page shows the first 10000 tokens of each prompt; the longest has 15000\./,
    );
    const letters = state({ prompts: ["a".repeat(5_000_000)] });
    expect(viewOf(letters).prompts[0]?.[0]?.token.text).toHaveLength(400_000);
    expect(sentences(letters)[0]).toMatch(
      /^This page reads the first 400000 characters of each prompt; the longest has 5000000\./,
    );
    expect(sentences(state({ prompts: ["a ".repeat(20_000)] }))).toEqual([]);
  });

  test("a view of 20,000 tokens takes time in proportion to them, images and decoding included", () => {
    const page = (tokens: number) =>
      state({
        prompts: ["<image> word ".repeat(tokens / 2)],
        convention: "flamingo-pytorch@0.0.4",
        against: "otter",
        known: tokens - 1000,
        step: 999,
      });
    const exponent = growth((tokens) => warningsOf(viewOf(page(tokens))), 2500);
    expect(exponent).toBeLessThan(1.5);
  });

  test("numbers of a layer are computed for 1,024 keys at most", () => {
    const model = (images: number, latents: number) =>
      new Model(state({ prompts: ["<image> ".repeat(images)], latents, show: "attention" }));
    expect(model(64, 16).stages(place(0))?.stages[0]?.shape).toEqual([1, 2, 64, 1024]);
    expect(model(65, 16).stages(place(0))).toBeNull();
    expect(model(65, 16).weights(place(0))).toBeNull();
    expect(model(65, 1).stages(place(0))).not.toBeNull(); // two latents each
  });
});

describe("text from outside", () => {
  test("names and tokens are shortened, without control characters", () => {
    const name = "\u001b[31m<b>\u202e".repeat(5000);
    const [first] = sentences(state({ convention: name }));
    expect(first).toMatch(/^No convention is called “\\u\{1b\}\[31m<b>\\u\{202e\}.*\.\.”; /);
    expect(first?.length).toBeLessThan(140);
    const view = viewOf(state({ prompts: [`<image> ${"x".repeat(300_000)}`] }));
    expect(explanationOf(view, place(1))?.title).toBe(`Position 1: “${"x".repeat(38)}..”`);
  });

  test("names of JavaScript's own properties are no conventions", () => {
    for (const name of ["constructor", "__proto__", "toString", "hasOwnProperty"])
      expect(sentences(state({ convention: name, against: name }))[0]).toContain(`“${name}”`);
  });
});

describe("files", () => {
  /** A file that counts the bytes that are read from it; beyond `start` it holds zeros. */
  class SparseFile {
    read = 0;
    readonly size: number;
    readonly #start: Uint8Array;
    constructor(start: Uint8Array, size: number) {
      this.#start = start;
      this.size = size;
    }
    slice(from: number, to: number) {
      if (to - from > 1e6) throw new Error(`${to - from} bytes are read at once`);
      this.read += to - from;
      const bytes = new Uint8Array(to - from);
      bytes.set(this.#start.subarray(from, to));
      return new Blob([bytes]);
    }
    arrayBuffer = (): Promise<never> => Promise.reject(new Error("the whole file is read"));
  }
  const sparse = (start: Uint8Array, size: number) => new SparseFile(start, size) as SparseFile & Blob;
  const GB = 1e9;

  function headerOf(
    tensors: Record<string, { dtype: string; shape: number[]; data_offsets: number[] }>,
  ): Uint8Array {
    const text = new TextEncoder().encode(JSON.stringify(tensors));
    const bytes = new Uint8Array(8 + text.length);
    new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
    bytes.set(text, 8);
    return bytes;
  }

  test("of a file of 3 GB only the header and the attention are read", async () => {
    const weights = { dtype: "F32", shape: [1, 1, 2, 2], data_offsets: [8, 24] };
    const rest = 3 * GB;
    const start = headerOf({
      media_locations: { dtype: "BOOL", shape: [1, 2], data_offsets: [0, 2] },
      ids: { dtype: "I32", shape: [1], data_offsets: [2, 6] },
      pad: { dtype: "BOOL", shape: [2], data_offsets: [6, 8] },
      "attn.attn": weights,
      media: { dtype: "F32", shape: [1, 2, 1, (rest - 24) / 8], data_offsets: [24, rest] },
    });
    const file = sparse(start, start.length + rest);
    const source = await sourceOf("run.safetensors", file);
    expect(file.read).toBeLessThan(start.length + 5000);
    expect(() => traceOf(new Map([["run.safetensors", source]]), START)).not.toThrow(/reads at most/);
    const trace = traceOf(new Map([["run.safetensors", source]]), START);
    expect(trace.state).toMatchObject({ prompts: ["text text"], images: [2], latents: 1 });
  });

  test("a large file that is none of tensors, or whose attention is too large, is refused without being read", async () => {
    const zeros = sparse(new Uint8Array(), 3 * GB);
    await expect(sourceOf("disk.safetensors", zeros)).rejects.toThrow(
      /^disk\.safetensors: .* not safetensors/,
    );
    const text = sparse(new TextEncoder().encode("plain text, of which there is much"), 3 * GB);
    await expect(sourceOf("notes.safetensors", text)).rejects.toThrow(/^notes\.safetensors: /);
    const shape = [1, 1, 2, (3 * GB) / 8];
    const start = headerOf({ "attn.attn": { dtype: "F32", shape, data_offsets: [0, 3 * GB] } });
    const large = sparse(start, start.length + 3 * GB);
    const source = await sourceOf("large.safetensors", large);
    const page = state({ prompts: ["a <image>"] });
    expect(() => traceOf(new Map([["large.safetensors", source]]), page)).toThrow(
      /^large\.safetensors has 3000 MB, and the page reads at most 128 MB/,
    );
    for (const { read } of [zeros, text, large]) expect(read).toBeLessThan(10_000);
  });

  test("a batch beyond the page's limits is refused", async () => {
    const start = headerOf({
      media_locations: { dtype: "BOOL", shape: [1, 30_000], data_offsets: [0, 30_000] },
      "attn.attn": { dtype: "F32", shape: [1, 1, 30_000, 1], data_offsets: [30_000, 150_000] },
    });
    const bytes = new Uint8Array(start.length + 150_000);
    bytes.set(start);
    bytes[start.length] = 1;
    const source = await sourceOf("long.safetensors", new Blob([bytes]));
    expect(() => traceOf(new Map([["long.safetensors", source]]), START)).toThrow(
      /^long\.safetensors has 1 × 30000 tokens over 1 images, more than this page shows/,
    );
  });
});
