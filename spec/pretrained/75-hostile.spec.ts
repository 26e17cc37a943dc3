// Rules of 75-loading.md and of chapter 39 for damaged and hostile folders: none is loaded in part, and none is read before it is refused.
import {
  copyFileSync,
  cpSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { loadSafetensors } from "../../src/io/safetensors/read.ts";
import { saveSafetensors } from "../../src/io/safetensors/write.ts";
import { StateDictError } from "../../src/nn/loading/compare.ts";
import { loadPretrained, memoryPlan } from "../../src/pretrained/load-pretrained.ts";
import { LoadError, RuleError } from "../../src/tensor/errors.ts";
import { int, type Tensor, tensor } from "../../src/tensor/tensor.ts";
import { folders } from "../support/fixtures/temporary.ts";

const HOME = "golden/data/pretrained-folders";
const fresh = folders();
const INDEX = "model.safetensors.index.json";
const [FIRST, LAST] = ["model-00001-of-00003.safetensors", "model-00003-of-00003.safetensors"];

function copied(name: string): string {
  const folder = fresh();
  cpSync(join(HOME, name), folder, { recursive: true });
  return folder;
}
const readJson = (path: string) => JSON.parse(readFileSync(path, "utf8"));
const change = (path: string, changes: object) =>
  writeFileSync(path, JSON.stringify({ ...readJson(path), ...changes }));

/** Expects that loading, in either way, fails with a LoadError whose message holds a text and stays short, and that no weight was read. */
async function refused(folder: string, text: string, lazily = [true, false]): Promise<void> {
  for (const lazy of lazily) {
    const read: string[] = [];
    const loading = loadPretrained(folder, { lazy, progress: ({ tensor: name }) => read.push(name) });
    const error: unknown = await loading.catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(LoadError);
    const { message } = error as LoadError;
    expect(message).toContain(text);
    expect(message.length).toBeLessThan(1500);
    expect(read).toEqual([]);
  }
}

test("[pretrained.shards] a shard that is missing or cut short", async () => {
  const folder = copied("llama-bfloat16-sharded");
  truncateSync(join(folder, LAST), statSync(join(folder, LAST)).size - 1);
  await refused(folder, LAST);
  rmSync(join(folder, LAST));
  await refused(folder, `1 of 3 files are missing: "${LAST}"; download them`);
});

test("[pretrained.paths] an index that names a file outside the folder", async () => {
  const folder = copied("llama-bfloat16-sharded");
  const { weight_map: map } = readJson(join(folder, INDEX));
  change(join(folder, INDEX), { weight_map: { ...map, "model.norm.weight": "../../etc/passwd" } });
  await refused(folder, 'is in "../../etc/passwd", which is no name of a file in the folder');
});

test("[pretrained.paths] a link to a shard is followed, and one to nothing is a missing file", async () => {
  const folder = copied("llama-bfloat16-sharded");
  const elsewhere = fresh();
  copyFileSync(join(folder, FIRST), elsewhere);
  rmSync(join(folder, FIRST));
  symlinkSync(elsewhere, join(folder, FIRST));
  expect((await loadPretrained(folder)).report.loaded.length).toBe(21); // 9 tensors a layer, table, norm and head
  rmSync(elsewhere);
  await refused(folder, `1 of 3 files are missing: "${FIRST}"`);
});

test("[pretrained.shards] a tensor in two shards", async () => {
  const folder = copied("llama-bfloat16-sharded");
  const [first, last] = [FIRST, LAST].map((name) => loadSafetensors(join(folder, name)));
  const all = new Map((last?.keys ?? []).map((key) => [key, last?.tensor(key) as Tensor]));
  const key = first?.keys[0] ?? "";
  saveSafetensors(join(folder, LAST), new Map([...all, [key, first?.tensor(key) as Tensor]]), {
    floats: "stored",
  });
  await refused(folder, `holds "${key}", and the index places "${key}" in "${FIRST}"`);
});

/** A folder with one changed tensor, or a further one. */
function withTensor(
  key: string,
  value: Parameters<typeof saveSafetensors>[1] extends ReadonlyMap<string, infer T> ? T : never,
): string {
  const folder = copied("opt-bfloat16");
  const path = join(folder, "model.safetensors");
  const file = loadSafetensors(path);
  saveSafetensors(
    path,
    new Map([...file.keys.map((name) => [name, file.tensor(name)] as const), [key, value]]),
    { floats: "stored" },
  );
  return folder;
}

test("[state.strict] weights of another dtype, another shape, and further ones", async () => {
  const name = "model.decoder.embed_tokens.weight";
  await refused(withTensor(name, int("n w", [[1, 2]])), `no floats:\n    ${name}`);
  await refused(withTensor(name, tensor("n w", [[1, 2]])), "the model has [40 8], the weights [1 2]");
  await refused(withTensor("model.decoder.extra", tensor("n", [1])), "unexpected:\n    model.decoder.extra");
});

test("[io.hostile] a header that promises more bytes than the file has", async () => {
  const folder = copied("opt-bfloat16");
  const header = JSON.stringify({
    "lm_head.weight": { dtype: "F32", shape: [1e6, 1e6], data_offsets: [0, 4e12] },
  });
  const length = new Uint8Array(new BigUint64Array([BigInt(header.length)]).buffer);
  writeFileSync(join(folder, "model.safetensors"), Buffer.concat([length, Buffer.from(header)]));
  await refused(folder, "model.safetensors");
});

test("[config.fields] the configuration of another model, and sizes beyond all bounds, before an allocation", async () => {
  const other = copied("opt-bfloat16");
  copyFileSync(join(HOME, "llama-5/config.json"), join(other, "config.json"));
  const error: unknown = await loadPretrained(other).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(StateDictError);
  expect((error as StateDictError).report.loaded).toEqual([]);
  for (const [name, members] of [
    ["hidden_size", { hidden_size: 1e12 }],
    ["num_hidden_layers", { num_hidden_layers: 1e12 }],
    ["vocab_size", { vocab_size: 1e12 }],
    ["max_position_embeddings", { max_position_embeddings: 1e12 }],
    ["ffn_dim", { ffn_dim: -1 }],
  ] as const) {
    const folder = copied("opt-bfloat16");
    change(join(folder, "config.json"), members);
    const camel = name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
    await refused(folder, `${folder}/config.json: OPTForCausalLM: ${camel} is`);
    expect(() => memoryPlan(folder)).toThrow(LoadError);
  }
  const large = copied("opt-bfloat16");
  change(join(large, "config.json"), { hidden_size: 2 ** 20, ffn_dim: 2 ** 20, word_embed_proj_dim: 8 }); // weights of 2^40 values
  await refused(large, "2^32");
});

test("[pretrained.count] a configuration with two thousand layers is refused before a plan is made", async () => {
  const folder = copied("opt-bfloat16");
  change(join(folder, "config.json"), { num_hidden_layers: 2000 });
  let plans = 0;
  const loading = loadPretrained(folder, { plan: () => plans++ });
  await expect(loading).rejects.toThrow("31,968 of the 32,000 of model.decoder.layers.*");
  expect(() => memoryPlan(folder)).toThrow(StateDictError);
  await expect(loadPretrained(copied("opt-bfloat16"), { plan: () => plans++ })).resolves.toBeDefined();
  expect(plans).toBe(1);
});

test("[state.finite] a weight that is not finite is refused when it is read", async () => {
  const folder = withTensor(
    "model.decoder.project_in.weight",
    tensor(
      "d w",
      Array.from({ length: 16 }, () => Array(8).fill(NaN)),
    ),
  );
  await expect(loadPretrained(folder, { lazy: false })).rejects.toThrow(
    'weight "model.decoder.project_in.weight" is NaN at [0 0]',
  );
  await expect(loadPretrained(folder)).resolves.toBeDefined();
});

test("[options.values] [options.known] the options are checked before the folder is opened", async () => {
  for (const options of [
    { lazy: 1 },
    { progress: 1 },
    { plan: "x" },
    { signal: {} },
    { context: 0 },
    { prompt: 1.5 },
  ])
    await expect(loadPretrained("nowhere", options as never)).rejects.toThrow(/options\.values/);
  await expect(loadPretrained("nowhere", { quick: true } as never)).rejects.toThrow(/options\.known/);
  expect(() => memoryPlan("nowhere", { context: -1 })).toThrow(RuleError);
  await expect(loadPretrained("nowhere")).rejects.toThrow("cannot open nowhere: it does not exist");
});
