import { readFileSync } from "node:fs";
import { crc32 } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { openPickle, type PickledTensors } from "../../../src/io/pickle/read.ts";
import { Bytes, type PickleValue } from "../../../src/io/pickle/values.ts";
import { loadSafetensors } from "../../../src/io/safetensors/read.ts";
import { loadTorch, openTorch } from "../../../src/io/torch/read.ts";
import { writeTorch } from "../../../src/io/torch/write.ts";
import { LoadError } from "../../../src/tensor/errors.ts";
import { flat, Int, Tensor, view } from "../../../src/tensor/tensor.ts";
import {
  latin1,
  SIX,
  tensorPickle,
  torchFile,
  VERSION,
  type ZipForm,
  type ZipPart,
  zipOf,
} from "../../support/fixtures/files/archives.ts";
import { expectSameTensors } from "../../support/fixtures/files/same-tensors.ts";
import { damagedReal, pickleFiles, torchFiles } from "../../support/fuzz/pickle-files.ts";
import { counting } from "../../support/properties/files.ts";
import { expectLoadError, refusal } from "../../support/properties/refusals.ts";

const HOME = "golden/data/pickled-files";

const refused = (bytes: Uint8Array, rule: string, sentence: string): void =>
  expectLoadError(
    () => {
      const file = openTorch(bytes, "f");
      for (const key of file.keys) flat(file.tensor(key).data);
    },
    rule,
    sentence,
  );

const x = (bytes: Uint8Array): number[] => Array.from(flat(openTorch(bytes, "f").tensor("x").data));
const entry = (root: PickleValue, ...path: (string | number)[]): PickleValue | undefined =>
  path.reduce<PickleValue | undefined>(
    (value, key) => (value instanceof Map ? value.get(key) : undefined),
    root,
  );
const loaded = (name: string, protocol = 2): PickledTensors =>
  loadTorch(`${HOME}/${name}/protocol-${protocol}.pt`);

describe("files of torch.save (PyTorch 2.13.0) have the values that PyTorch wrote", () => {
  test.each([
    ["module", 2],
    ["training", 2],
    ["dtypes", 2],
    ["other-values", 2],
    ["views", 2],
    ["views", 4],
    ["views", 5],
  ] as const)("[torch.views] %s, protocol %i", (name, protocol) => {
    expectSameTensors(loaded(name, protocol), loadSafetensors(`${HOME}/${name}/expected.safetensors`));
  });

  test("[torch.ties] a state dict has its names in order, and the tied head shares its table", () => {
    const file = loaded("module");
    expect(file.keys).toEqual([
      ...["position_ids", "embed.weight", "norm.weight", "norm.bias"],
      ...["norm.running_mean", "norm.running_var", "norm.num_batches_tracked", "head.weight"],
    ]);
    expect(file.ties).toEqual([["embed.weight", "head.weight"]]);
    expect(loaded("views").ties).toEqual([["base", "same"]]);
  });

  test("[torch.views] a checkpoint of training is data and state dicts", () => {
    const file = loaded("training");
    expect(entry(file.root, "epoch")).toBe(3);
    expect(file.under("model_state_dict").keys).toEqual([
      "perceiver.weight",
      "perceiver.bias",
      "lang_encoder.weight",
      "lang_encoder.bias",
    ]);
    expect(file.under("optimizer_state_dict", "state", 0).keys).toEqual(["step", "exp_avg", "exp_avg_sq"]);
    expect(file.keys).toContain("optimizer_state_dict.state.3.exp_avg_sq");
    expect(entry(file.root, "lr_scheduler_state_dict", "milestones")).toEqual(
      new Map([
        [1, 1],
        [3, 1],
      ]),
    );
    const [group] = (entry(file.root, "optimizer_state_dict", "param_groups") ?? []) as PickleValue[];
    expect(entry(group ?? null, "betas")).toEqual([0.9, 0.999]);
    expect(entry(group ?? null, "params")).toEqual([0, 1, 2, 3]);
  });

  test("values beside tensors are data, and tensors that are not read are named", () => {
    const file = loaded("other-values");
    const at = (key: string) => entry(file.root, key);
    const data = ["size", "large", "negative", "float", "none", "text", "flags", "tuple"].map(at);
    expect(data).toEqual([
      [2, 3],
      2n ** 70n,
      -(2n ** 70n),
      0.1,
      null,
      "é 權重 😀",
      [true, false],
      [1, [2, "x"]],
    ]);
    expect(at("set")).toEqual(new Set([1, 2]));
    const bytes = at("bytes");
    expect(bytes instanceof Bytes && bytes.read(0, 2)).toEqual(Uint8Array.of(0x61, 0xff));
    expect(["dtype", "device", "complex"].map((key) => at(key))).toEqual([
      { kind: "torch.dtype", name: "bfloat16" },
      { kind: "torch.device", name: "cuda:1" },
      { kind: "complex", name: "1+2j" },
    ]);
    const problems: Readonly<Record<string, string>> = {
      sparse: "is sparse",
      complex64: "is C64",
      complex128: "is complex128",
      float8: "is F8_E4M3",
      meta: "has no values",
      conjugate: "is a conjugate",
    };
    for (const [key, problem] of Object.entries(problems))
      expect(() => file.get(key)).toThrow(`tensor "${key}" ${problem}`);
  });
});

test("[io.lazy] opening reads the directory and the pickle; a tensor reads its own range when it is used", () => {
  const storage = new Uint8Array(Float32Array.from({ length: 1 << 18 }, (_, i) => i).buffer);
  const pickle = tensorPickle({ count: 1 << 18, offset: 1000, shape: [2, 3], stride: [10, 1] });
  const source = counting(torchFile(pickle, [storage]));
  const total = () => source.ranges.reduce((sum, [from, to]) => sum + to - from, 0);
  const file = openTorch(source, "f");
  const opened = total();
  expect(opened).toBeLessThan(80_000); // at most the 65,557 bytes in which a zip's end can lie, and the pickle
  const tensor = file.tensor("x");
  expect(total()).toBe(opened);
  expect(Array.from(flat(tensor.data))).toEqual([1000, 1001, 1002, 1010, 1011, 1012]);
  expect(total() - opened).toBeLessThan(200); // 13 floats and the entry's header
});

describe("files that are written", () => {
  /** Tensors of 0, 1 and 3 axes in all dtypes, one of them under two names; a name of 300 characters, and one that is no ASCII. */
  const tensors = (): Map<string, Tensor> => {
    const tied = new Tensor([2, 3], view(Float32Array.of(1.5, -2, 3, 4, 5, 6), [2, 3]));
    const half = new Tensor([70], {
      dtype: "bfloat16",
      read: (from, to) => Uint16Array.from({ length: to - from }, (_, i) => from + i),
    });
    return new Map([
      ["b", tied],
      ["a".repeat(300), new Tensor([], view(Float64Array.of(Math.PI), []))],
      ["größe", half],
      [
        "half",
        new Tensor([2, 1, 2], {
          dtype: "float16",
          read: (from, to) => Uint16Array.of(0x3c00, 0xc000, 1, 0x7bff).slice(from, to),
        }),
      ],
      ["c", tied],
      ["none", new Tensor([0, 3], view(new Float32Array(0), [0, 3]))],
      ["transposed", new Tensor([3, 2], view(Float64Array.of(1, 2, 3, 4, 5, 6), [3, 2], [1, 3]))],
    ]);
  };

  test("[torch.write] are read again, in the order of the names and in the same dtypes", () => {
    const file = openTorch(writeTorch(tensors()), "f");
    expect(file.keys).toEqual([...tensors().keys()]);
    expect(file.keys.map((key) => file.info(key).dtype)).toEqual([
      "F32",
      "F64",
      "BF16",
      "F16",
      "F32",
      "F32",
      "F64",
    ]);
    for (const [name, t] of tensors()) {
      expect(file.info(name).shape).toEqual(t.shape);
      expect([name, ...flat(file.tensor(name).data)]).toEqual([name, ...flat(t.data)]);
    }
  });

  test("[torch.write] the checksums are those of Node's zlib, and storages are aligned to 64 bytes", () => {
    const bytes = writeTorch(tensors());
    const data = new DataView(bytes.buffer);
    let count = 0;
    for (let at = 0; data.getUint32(at, true) === 0x04034b50; count++) {
      const [size, name, extra] = [
        data.getUint32(at + 18, true),
        data.getUint16(at + 26, true),
        data.getUint16(at + 28, true),
      ];
      const begin = at + 30 + name + extra;
      expect(begin % 64).toBe(0);
      expect(data.getUint32(at + 14, true)).toBe(crc32(bytes.subarray(begin, begin + size)));
      at = begin + size;
    }
    expect(count).toBe(9); // pickle, byteorder, version and six storages
  });

  test("[torch.write-ties] a tensor under two names is written once", () => {
    expect(openTorch(writeTorch(tensors()), "f").ties).toEqual([["b", "c"]]);
  });

  test("[torch.write] values that are no floats are refused by name", () => {
    const ints = new Map([["ids", new Int([1], Int32Array.of(1))]]) as unknown as Map<string, Tensor>;
    const error = refusal(() => writeTorch(ints));
    expect([error.rule, error.message]).toEqual([
      "torch.write",
      expect.stringContaining('"ids" is not a tensor of floats'),
    ]);
  });
});

test("[torch.byteorder] storages of big-endian files are converted", () => {
  const big = new Uint8Array(24);
  for (let i = 0; i < 6; i++) new DataView(big.buffer).setFloat32(4 * i, i);
  const order = (text: string): ZipPart => ({ name: "archive/byteorder", bytes: latin1(text) });
  expect(x(torchFile(tensorPickle(), [big], [order("big")]))).toEqual([0, 1, 2, 3, 4, 5]);
  expect(x(torchFile(tensorPickle(), [SIX], [order("little")]))).toEqual([0, 1, 2, 3, 4, 5]);
  expect(x(torchFile())).toEqual([0, 1, 2, 3, 4, 5]);
  refused(torchFile(tensorPickle(), [SIX], [order("")]), "torch.byteorder", 'the byte order ""');
  refused(torchFile(tensorPickle(), [SIX], [order("middle")]), "torch.byteorder", 'the byte order "middle"');
});

describe("storages", () => {
  test("[torch.storages] a storage that is missing, or of another size or class, is an error", () => {
    refused(torchFile(tensorPickle({ key: "1" })), "torch.storages", 'storage "1" is not in the archive');
    refused(torchFile(tensorPickle({ key: "../data.pkl" })), "torch.storages", "is not in the archive");
    refused(
      torchFile(tensorPickle(), [SIX.subarray(4)]),
      "torch.storages",
      'storage "0" has 20 bytes, and the pickle expects 24',
    );
    refused(torchFile(tensorPickle({ type: "DoubleStorage" })), "torch.storages", "the pickle expects 48");
    refused(torchFile(tensorPickle({ count: -1 })), "torch.storages", "the pickle expects -4");
    const both = latin1(
      `${String.fromCharCode(...tensorPickle()).slice(0, -1)}${String.fromCharCode(...tensorPickle({ type: "IntStorage" })).slice(2, -1)}\x86.`,
    );
    refused(torchFile(both), "torch.storages", "is used as torch.FloatStorage and as torch.IntStorage");
  });

  test("[torch.storages] ids of another form are refused", () => {
    for (const id of ["N", "K\x01", ")", "(X\x07\0\0\0storageNNNNt", "(X\x06\0\0\0moduleNNNNt"])
      refused(torchFile(latin1(`\x80\x02${id}Q.`)), "pickle.opcodes", "refers to an object outside of it");
  });
});

describe("views", () => {
  test("[torch.views] a tensor with more elements than its storage is listed, and refused when it is read", () => {
    const file = openTorch(torchFile(tensorPickle({ shape: [7], stride: [0] })), "f");
    expect(file.keys).toEqual(["x"]);
    expect(() => file.get("x")).toThrow("repeats the 6 elements of its storage; save tensor.contiguous()");
  });

  test("[torch.views] a tensor beyond its storage is an error", () => {
    expect(x(torchFile(tensorPickle({ shape: [3, 2], stride: [1, 3] })))).toEqual([0, 3, 1, 4, 2, 5]);
    expect(x(torchFile(tensorPickle({ offset: 4, shape: [1, 2], stride: [99, 1] })))).toEqual([4, 5]);
    expect(x(torchFile(tensorPickle({ offset: 9, shape: [0, 2] })))).toEqual([]);
    expect(x(torchFile(tensorPickle({ shape: [], stride: [] })))).toEqual([0]);
    expect(x(torchFile(tensorPickle({ shape: [3, 2], stride: [1, 0] })))).toEqual([0, 0, 1, 1, 2, 2]);
    const beyond = "extends beyond the 6 elements of its storage";
    refused(torchFile(tensorPickle({ offset: 1 })), "torch.views", beyond);
    refused(torchFile(tensorPickle({ stride: [4, 1] })), "torch.views", beyond);
    refused(torchFile(tensorPickle({ offset: 2 ** 31 - 1, shape: [1], stride: [1] })), "torch.views", beyond);
    refused(
      torchFile(tensorPickle({ shape: [1e9, 1e9], stride: [0, 0] })),
      "pickle.opcodes",
      "a tensor of an unknown form",
    );
    refused(torchFile(tensorPickle({ stride: [-1, 1] })), "pickle.opcodes", "a tensor of an unknown form");
    refused(torchFile(tensorPickle({ stride: [1] })), "pickle.opcodes", "a tensor of an unknown form");
    refused(torchFile(tensorPickle({ offset: -1 })), "pickle.opcodes", "a tensor of an unknown form");
  });
});

describe("the archive", () => {
  const build = (changes: Partial<ZipPart>, form: ZipForm = {}): Uint8Array =>
    zipOf(
      [
        { name: "archive/data.pkl", bytes: tensorPickle() },
        { name: "archive/data/0", bytes: SIX, ...changes },
        VERSION,
      ],
      form,
    );

  test("[torch.zip] archives of all forms that hold the same entries are read alike", () => {
    for (const form of [{}, { long: true }, { comment: "PK\x05\x06 and more" }])
      expect(x(build({}, form))).toEqual([0, 1, 2, 3, 4, 5]);
    expect(x(build({ extra: "FB\x05\0ZZZZZ" }))).toEqual([0, 1, 2, 3, 4, 5]); // torch.save aligns storages with such a field
  });

  test("[torch.zip] a file that is cut at any byte, or begins with something else, is an error", () => {
    const bytes = readFileSync(`${HOME}/module/protocol-2.pt`);
    for (let n = 0; n < bytes.length; n++)
      expect(() => openTorch(bytes.subarray(0, n), "f")).toThrow(LoadError);
    refused(Uint8Array.from([...latin1("PK"), ...build({})]), "torch.zip", "its directory at another place");
    refused(latin1("plain text"), "torch.zip", "this does not begin as a file of torch.save does");
    refused(latin1("PK\x03\x04 and no more"), "torch.zip", "has no end; the file is cut short");
  });

  test("[torch.zip] entries that overlap, share a name, or are not where the directory says, are errors", () => {
    refused(build({ at: 10 }), "torch.zip", "runs into the next");
    refused(build({ at: 1e6 }), "torch.zip", "of an impossible size or place");
    refused(build({ at: 1e15 }, { long: true }), "torch.zip", "of an impossible size or place");
    refused(build({ size: 4000 }), "torch.zip", "runs into the next");
    refused(build({ size: 2 ** 60 }, { long: true }), "torch.zip", "runs into the next");
    refused(build({ name: "archive/version" }), "torch.zip", "twice");
    refused(
      build({ localName: "archive/data/1" }),
      "torch.zip",
      'has no entry "archive/data/0" where its directory says',
    );
    for (const long of [false, true]) {
      refused(build({}, { long, count: 2 }), "torch.zip", "announces 2 entries and has 3");
      refused(build({}, { long, directory: 40 }), "torch.zip", "its directory at another place");
      refused(build({}, { long, directory: 2 ** 31 }), "torch.zip", "its directory at another place");
    }
    const local = build({});
    local[build({}).indexOf(0x50, 40)] = 0; // the mark of the second entry
    refused(local, "torch.zip", 'has no entry "archive/data/0"');
  });

  test("[torch.zip] a long end that is damaged, or on another disk, is an error", () => {
    const whole = build({}, { long: true });
    const end = whole.length - 22 - 20 - 56; // the long record, the locator and the end
    for (const at of [end, end + 4, end + 16, end + 20, end + 24, end + 60, end + 64, end + 72]) {
      const damaged = whole.slice();
      damaged[at] = (damaged[at] ?? 0) ^ 0x40;
      refused(damaged, "torch.zip", "has a damaged end");
    }
  });

  test("[torch.zip] there is one pickle, and all entries lie in its folder", () => {
    const two = torchFile(tensorPickle(), [SIX], [{ name: "other/data.pkl", bytes: SIX }]);
    refused(two, "torch.zip", "holds 2 pickles called data.pkl, and torch.save writes one");
    const outside = torchFile(tensorPickle(), [SIX], [{ name: "readme.txt", bytes: SIX }]);
    refused(outside, "torch.zip", 'entry "readme.txt" is outside of its folder "archive/"');
    const renamed = [
      { name: "m/data.pkl", bytes: tensorPickle() },
      { name: "m/data/0", bytes: SIX },
      { name: "m/version", bytes: latin1("3") },
    ];
    expect(x(zipOf(renamed))).toEqual([0, 1, 2, 3, 4, 5]);
  });

  test("[torch.zip] the version of the format is 1 to 10", () => {
    const versioned = (version: string): Uint8Array => {
      const [pickle, storage] = [tensorPickle(), SIX];
      const parts = [
        ["archive/data.pkl", pickle],
        ["archive/data/0", storage],
        ["archive/version", latin1(version)],
      ] as const;
      return zipOf(parts.map(([name, bytes]) => ({ name, bytes })));
    };
    for (const version of ["1\n", "3", "10\n"]) expect(x(versioned(version))).toEqual([0, 1, 2, 3, 4, 5]);
    for (const version of ["0\n", "11\n", "x", "3\n4"])
      refused(
        versioned(version),
        "torch.zip",
        `has version ${JSON.stringify(version)} of the format; 1 to 10 are known`,
      );
    refused(zipOf([{ name: "archive/data.pkl", bytes: tensorPickle() }]), "torch.zip", "states no version");
  });

  test("[torch.stored] compressed and encrypted entries are refused by name", () => {
    refused(build({ method: 8 }), "torch.stored", 'the archive\'s entry "archive/data/0" is compressed');
    refused(build({ flags: 1 }), "torch.stored", 'entry "archive/data/0" is encrypted');
  });
});

test("errors quote names without control sequences", () => {
  const name = `\u001b[2J${"x".repeat(300)}`;
  const file = zipOf([{ name, bytes: SIX, at: 1e6 }]);
  refused(file, "torch.zip", '"\\u001b[2Jxxx');
});

test("[io.file-errors] openTorch and openPickle take bytes, loadTorch and loadPickle a path", () => {
  for (const wrong of ["f.pt", null, undefined]) {
    expect(() => openTorch(wrong as never, "f")).toThrow(
      "openTorch takes bytes; loadTorch takes a path  [io.file-errors]",
    );
    expect(() => openPickle(wrong as never, "f")).toThrow(
      "openPickle takes bytes; loadPickle takes a path  [io.file-errors]",
    );
  }
  expect(() => loadTorch("no/such/file.pt")).toThrow("[io.file-errors]");
  for (const wrong of [new Blob([]), {}, Promise.resolve(SIX)])
    expect(() => openTorch(wrong as never, "f")).toThrow("[io.file-errors]");
});

test("[io.file-errors] an ArrayBuffer, such as a response gives, is opened like other bytes", () => {
  const [archive, pickle] = [torchFile(tensorPickle({})), Uint8Array.of(0x80, 2, 0x7d, 0x2e)];
  expect([...flat(openTorch(archive.slice().buffer, "f").tensor("x").data)]).toEqual([0, 1, 2, 3, 4, 5]);
  expect(openPickle(pickle.buffer, "f").keys).toEqual([]);
});

test("[io.hostile] made-up and damaged pickles and archives give data or a LoadError", () => {
  const outcomes = { read: 0, refused: 0 };
  /** A tensor that is refused by itself does not end the reading. */
  const attempt = (action: () => unknown): void => {
    try {
      action();
    } catch (error) {
      if (!(error instanceof LoadError)) throw error;
    }
  };
  const readAll = (open: typeof openTorch) => (bytes: Uint8Array) => {
    try {
      const file = open(bytes, "f");
      for (const key of file.keys) attempt(() => file.get(key));
      outcomes.read++;
    } catch (error) {
      if (!(error instanceof LoadError)) throw error;
      expect(error.message).toMatch(/^f: .*\[(io|torch|pickle)\.[a-z-]+\]$/s);
      expect(error.message.length).toBeLessThan(700);
      outcomes.refused++;
    }
  };
  for (const bytes of fc.sample(fc.oneof(torchFiles, damagedReal(".pt")), { seed: 5, numRuns: 1000 }))
    readAll(openTorch)(bytes);
  for (const bytes of fc.sample(fc.oneof(pickleFiles, damagedReal(".pickle")), { seed: 5, numRuns: 1000 }))
    readAll(openPickle)(bytes);
  expect(outcomes.read).toBeGreaterThan(150); // the damage is neither always fatal nor always harmless
  expect(outcomes.refused).toBeGreaterThan(500);
});
