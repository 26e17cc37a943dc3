// Implementations to be probed: our own blocks under any convention, and under known mistakes.
import { GatedCrossAttentionBlock } from "../../src/blocks/gated-cross-attention-block.ts";
import { MaskedCrossAttention } from "../../src/blocks/masked-cross-attention.ts";
import type { Mutant } from "../../src/conformance/mutants/mutant.ts";
import type { Adapter } from "../../src/conformance/probe.ts";
import { IDS, type ProbeCall } from "../../src/conformance/probe-plan.ts";
import { fillDyadic } from "../../src/io/generator.ts";
import type { Stored } from "../../src/io/safetensors.ts";
import type { Convention } from "../../src/masks/convention.ts";
import { locate } from "../../src/masks/grid.ts";
import { mediaMask } from "../../src/masks/media-mask.ts";
import { loadStateDict, stateDict } from "../../src/nn/state-dict.ts";
import { evaluate } from "../../src/tensor/evaluate.ts";
import { record } from "../../src/tensor/record.ts";
import { Bool, flat, Int, Tensor, view } from "../../src/tensor/tensor.ts";

/** attention: what attention adds; block: the gated block's rows; tapped: those and what attention adds. */
export type Level = "attention" | "block" | "tapped";

interface Tensors {
  readonly x: Tensor<"b l d">;
  readonly media: Tensor<"b m r e">;
  readonly locations: Bool<"b l"> | null;
}

const floats = (stored: Stored | undefined): Tensor => {
  if (stored instanceof Tensor) return stored;
  throw new Error("no floats");
};

function modelOf(level: Level, convention: Convention, dim: number, dimMedia: number) {
  const options = { dim, dimMedia, dimHead: 4, heads: 2, convention };
  const model =
    level === "attention"
      ? new MaskedCrossAttention(options)
      : new GatedCrossAttentionBlock({ ...options, emptyRowFeedForward: convention.emptyRowFeedForward });
  const gates: Record<string, number> = { attn_gate: 0.75, ff_gate: -0.5 };
  const weights = new Map<string, Tensor>();
  for (const [key, { shape, size }] of stateDict(model)) {
    const values = new Float64Array(size);
    const norm = key.endsWith("norm.weight") || key === "ff.0.weight";
    fillDyadic(values, 7, key, { mean: norm ? 1 : 0, exponent: -8, bits: 8 });
    const gate = gates[key];
    if (gate !== undefined) values.fill(gate);
    weights.set(key, new Tensor(shape, view(values, shape)));
  }
  loadStateDict(model, weights);
  return model;
}

/** Where end tokens count, a block is told of them too. */
function locationsOf(
  located: Bool<"b l">,
  inputs: ReadonlyMap<string, Stored>,
  { endTokens }: Convention,
): Bool<"b l"> {
  const text = inputs.get("inputs.text");
  if (endTokens === "ignored" || !(text instanceof Int)) return located;
  const { data } = locate(text, IDS.image, IDS.end);
  return new Bool<"b l">(located.shape, data);
}

/** Our own block under a convention, perhaps with a mistake in it. */
export function blockAdapter(level: Level, convention: Convention, mutant: Mutant | null = null): Adapter {
  const run = ({ x, media, locations }: Tensors): Map<string, Stored> => {
    const model = modelOf(level, convention, x.shape[2] ?? 0, media.shape[3] ?? 0);
    const inputs = { x, media, ...(locations ? { media_locations: locations } : {}) };
    const again = () =>
      record(() => ({ out: model.forward(x, media, { mediaLocations: locations }) }), {
        model,
        inputs: { "inputs.x": x, "inputs.media": media },
      });
    const program = again();
    const wrong = mutant?.apply({ program, model, inputs, record: () => again() }) ?? program;
    const { outputs, taps } = evaluate(wrong);
    const found = new Map<string, Stored>();
    if (outputs.out) found.set("outputs.out", outputs.out);
    if (level === "tapped" && taps.attn) found.set("taps.attn", taps.attn);
    if (convention.emptyRow === "unmasked" && level === "tapped")
      unfed(found, x, media, locations, convention);
    return found;
  };
  return async (call, inputs) => {
    const x = floats(inputs.get("inputs.x")) as Tensor<"b l d">;
    const media = floats(inputs.get("inputs.media")) as Tensor<"b m r e">;
    const located = inputs.get("inputs.media_locations");
    const locations =
      located instanceof Bool ? locationsOf(located as Bool<"b l">, inputs, convention) : null;
    if (call.passes === null || !locations) {
      const outputs = run({ x, media, locations });
      return { outputs };
    }
    if (convention.cachedStep === "none") return { skipped: "no cache" };
    return { outputs: decoded(call, { x, media, locations }, convention, run) };
  };
}

/** Mllama's layers skip the feed-forward of rows that they unmask; our block does so for zeroed rows only. */
function unfed(
  outputs: Map<string, Stored>,
  x: Tensor,
  media: Tensor,
  locations: Bool<"b l"> | null,
  convention: Convention,
): void {
  const [b = 0, l = 0, d = 0] = x.shape;
  const seen = locations && mediaMask(locations, media.shape[1] ?? 0, convention);
  if (!seen) return;
  const [out, attn] = [floats(outputs.get("outputs.out")), floats(outputs.get("taps.attn"))];
  const images = media.shape[1] ?? 0;
  const rows = part(out, 0, l).map((list, i) =>
    list.map((row, j) => {
      const at = (i * l + j) * images;
      if (seen.data.subarray(at, at + images).includes(1)) return row;
      return row.map((_, k) => x.data.get(i, j, k) + Math.tanh(0.75) * attn.data.get(i, j, k));
    }),
  );
  if (b * d > 0) outputs.set("outputs.out", made(rows));
}

/** Mistake 13: without locations, token l attends the first l + 1 latents, as a causal mask over keys has it. */
export function causalAdapter(level: Level, convention: Convention): Adapter {
  const right = blockAdapter(level, convention);
  return async (call, inputs) => {
    if (inputs.has("inputs.media_locations")) return right(call, inputs);
    const [x, media] = [floats(inputs.get("inputs.x")), floats(inputs.get("inputs.media"))];
    const [b = 0, m = 0, r = 0, e = 0] = media.shape;
    const keys = new Tensor([b, m * r, e], view(Float64Array.from(flat(media.data)), [b, m * r, e]));
    const columns = await Promise.all(
      Array.from({ length: x.shape[1] ?? 0 }, async (_, l) => {
        const few = part(keys, 0, l + 1);
        const shape = [b, 1, Math.min(l + 1, m * r), e];
        const seen = new Tensor(shape, view(Float64Array.from(few.flat(2)), shape));
        const one = new Map<string, Stored>([
          ["inputs.x", made(part(x, l, l + 1))],
          ["inputs.media", seen],
        ]);
        const answer = await right(call, one);
        return "outputs" in answer ? part(floats(answer.outputs.get("outputs.out")), 0, 1) : [];
      }),
    );
    const rows = Array.from({ length: b }, (_, i) => columns.flatMap((column) => column[i] ?? []));
    return { outputs: new Map([["outputs.out", made(rows)]]) };
  };
}

const part = ({ shape, data }: Tensor, from: number, to: number): number[][][] => {
  const [b = 0, l = 0, d = 0] = shape;
  const at = (i: number, j: number, k: number) => data.get(i, j, k);
  return Array.from({ length: b }, (_, i) =>
    Array.from({ length: Math.min(to, l) - from }, (_, j) =>
      Array.from({ length: d }, (_, k) => at(i, from + j, k)),
    ),
  );
};

const made = (rows: number[][][]): Tensor => {
  const shape = [rows.length, rows[0]?.length ?? 0, rows[0]?.[0]?.length ?? 0];
  return new Tensor(shape, view(Float64Array.from(rows.flat(2)), shape));
};

/**
 * Passes as real implementations make them: each hands the block its own tokens behind the locations that the
 * implementation still knows of.
 */
function decoded(
  { passes }: ProbeCall,
  { x, media, locations }: Tensors & { readonly locations: Bool<"b l"> },
  { cachedStep }: Convention,
  run: (tensors: Tensors) => Map<string, Stored>,
): Map<string, Stored> {
  const [b = 0, length = 0] = locations.shape;
  const bits = locations.flat();
  const rows = Array.from({ length: b }, (_, i) => Array.from(bits.subarray(i * length, (i + 1) * length)));
  const [prompt = 0] = passes ?? [];
  let counted = rows.map((): number[] => []);
  let from = 0;
  const parts = (passes ?? []).map((size) => {
    const to = from + size;
    const news = rows.map((row) => row.slice(from, to));
    const fresh = from === 0 || news.flat().includes(1);
    const text = news.map((row) => row.map(() => 0));
    const head = rows.map((row) => row.slice(0, prompt));
    const several = head.map((row) => row.filter((bit) => bit === 1).length > 1);
    const none = rows.map((): number[] => []);
    const first = from === 0 ? [none, news] : null;
    const [behind, own] = {
      none: [none, news],
      rows: [rows.map((row) => row.slice(0, from)), news],
      restart: [none, news],
      count: fresh ? [none, news] : [counted, text],
      "prompt-end": first ?? [
        head.map((row) => row.slice(0, prompt - size)),
        head.map((row) => row.slice(prompt - size)),
      ],
      "mask-end": first ?? [head, text],
      "last-row": first ?? [head, text],
      ahead: first ?? [head.map((row, i) => row.map((bit) => (several[i] ? 0 : bit))), text],
    }[cachedStep] as [number[][], number[][]];
    if (fresh) counted = news;
    const known = behind[0]?.length ?? 0;
    const mask = rows.map((_, i) => [...(behind[i] ?? []), ...(own[i] ?? [])]);
    const tokens = part(x, from, to).map((list) => [
      ...new Array<number[]>(known).fill(list[0] ?? []),
      ...list,
    ]);
    const outputs = run({
      x: made(tokens) as Tensor<"b l d">,
      media,
      locations: new Bool<"b l">([b, known + size], Uint8Array.from(mask.flat())),
    });
    from = to;
    return [...outputs].map(([key, stored]) => [key, part(floats(stored), known, known + size)] as const);
  });
  const keys = parts[0]?.map(([key]) => key) ?? [];
  return new Map(
    keys.map((key) => {
      const lists = parts.map((of) => of.find(([name]) => name === key)?.[1] ?? []);
      return [key, made(rows.map((_, i) => lists.flatMap((list) => list[i] ?? [])))];
    }),
  );
}
