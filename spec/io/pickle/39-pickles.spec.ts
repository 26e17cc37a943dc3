import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { loadPickle, openPickle, type PickledTensors } from "../../../src/io/pickle/read.ts";
import { Bytes, LongText, type PickleValue } from "../../../src/io/pickle/values.ts";
import { loadSafetensors } from "../../../src/io/safetensors/read.ts";
import { LoadError } from "../../../src/tensor/errors.ts";
import { ndArray } from "../../../src/tensor/ops/elementwise.ts";
import { joined, latin1, le } from "../../support/fixtures/files/archives.ts";
import { expectSameTensors } from "../../support/fixtures/files/same-tensors.ts";
import { counting } from "../../support/properties/files.ts";
import { expectLoadError } from "../../support/properties/refusals.ts";

const HOME = "golden/data/pickled-files";

const read = (text: string | Uint8Array): PickledTensors =>
  openPickle(typeof text === "string" ? latin1(text) : text, "f");
const root = (text: string): PickleValue => read(text).root;
/** Data that JSON can show: maps as lists of pairs. */
function plain(value: PickleValue): unknown {
  if (value instanceof Map) return [...value].map(([key, item]) => [key, plain(item)]);
  if (value instanceof Set) return { set: [...value] };
  if (value instanceof Bytes) return { bytes: [...(value.read(0, value.size ?? 0) ?? [])] };
  return Array.isArray(value) ? value.map(plain) : value;
}
const refused = (text: string | Uint8Array, rule: string, sentence = ""): void =>
  expectLoadError(() => read(text), rule, sentence);

test.each([0, 2, 3, 4, 5])(
  "[pickle.arrays] protocol %i: haiku's parameters have the values that numpy wrote",
  (protocol) => {
    const file = loadPickle(`${HOME}/haiku/protocol-${protocol}.pickle`);
    expectSameTensors(file, loadSafetensors(`${HOME}/haiku/expected.safetensors`));
    expect(file.ties).toEqual([["params.perceiver/~/linear.w", "params.perceiver/~/conv.tied"]]);
    expect(file.under("params").keys).toContain("perceiver/~/conv.w");
    expect(file.root instanceof Map && [file.root.get("step"), file.root.get("name")]).toEqual([
      12,
      "imagenet",
    ]);
  },
);

test("[pickle.arrays] arrays of other kinds are listed, and named when they are read", () => {
  const file = loadPickle(`${HOME}/objects/protocol-4.pickle`);
  expect(file.keys).toEqual(["texts", "records", "complex", "dates"]);
  for (const [key, kind] of [
    ["texts", "texts"],
    ["records", "records"],
    ["complex", "complex numbers"],
    ["dates", "dates"],
  ] as const) {
    expect(() => file.get(key)).toThrow(`tensor "${key}" is an array of ${kind}, which is not read here`);
  }
});

/** numpy's pickle of an array of float32 (protocol 2), with other parts. */
const array = ({
  shape = "K\x02\x85",
  type = "f4",
  order = "<",
  fortran = "\x89",
  data = "\0\0\x80?\0\0\0@",
} = {}): string =>
  `\x80\x02cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\0\x85U\x01btR(K\x01${shape}cnumpy\ndtype\n(U${le(type.length, 1)}${type}\x89\x88tR(K\x03U\x01${order}NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb${fortran}T${le(data.length, 4)}${data}tb.`;

test("[pickle.arrays] an array whose bytes are not those of its shape is an error", () => {
  expect(read(array()).tensor("").data.data).toEqual(Float32Array.of(1, 2));
  expect(read(array({ order: ">", data: "?\x80\0\0@\0\0\0" })).tensor("").data.data).toEqual(
    Float32Array.of(1, 2),
  );
  refused(array({ shape: "K\x03\x85" }), "pickle.arrays", "an array has 8 bytes; F32 [3] needs 12");
  refused(array({ type: "f8" }), "pickle.arrays", "F64 [2] needs 16");
  refused(array({ shape: "J\xff\xff\xff\xff\x85" }), "pickle.opcodes");
  refused(array({ shape: `(${"K\x01".repeat(33)}t` }), "pickle.opcodes");
  refused(array({ shape: "J\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x86" }), "pickle.opcodes");
});

describe("every opcode of data", () => {
  // What Python 3.11's pickle.loads gives for the same bytes, written out by hand; bytes and sets as plain() shows them.
  const cases: readonly (readonly [pickle: string, value: unknown])[] = [
    ["N.", null],
    ["I01\n.", true],
    ["I00\n.", false],
    ["I-12\n.", -12],
    ["I9007199254740993\n.", 9007199254740993n],
    ["L12345678901234567890L\n.", 12345678901234567890n],
    ["F-1.5e3\n.", -1500],
    ["Fnan\n.", Number.NaN],
    ["F-inf\n.", Number.NEGATIVE_INFINITY],
    ["J\xfe\xff\xff\xff.", -2],
    ["K\xff.", 255],
    ["M\x01\x02.", 513],
    ["\x8a\x01\xff.", -1],
    ["\x8a\0.", 0],
    ["\x8a\x09\0\0\0\0\0\0\0\0\x01.", 2n ** 64n],
    ["\x8b\x02\0\0\0\0\x80.", -32768],
    ["G\x3f\xf8\0\0\0\0\0\0.", 1.5],
    ["\x88.", true],
    ["\x89.", false],
    ["S'a\\n\\x41\\'b'\n.", "a\nA'b"],
    ["S'\\xff'\n.", { bytes: [255] }],
    ["T\x02\0\0\0ab.", "ab"],
    ["U\x02\xe9b.", { bytes: [0xe9, 0x62] }],
    ["V\\u6b0a\xe9\\\\n\\U0001f600\n.", "權é\\\\n😀"],
    ["X\x03\0\0\0\xe6\xac\x8a.", "權"],
    ["\x80\x04\x8c\x02\xc3\xa9.", "é"],
    ["\x80\x04\x8d\x01\0\0\0\0\0\0\0a.", "a"],
    ["B\x02\0\0\0\0\xff.", { bytes: [0, 255] }],
    ["C\x01\x07.", { bytes: [7] }],
    ["\x80\x04\x8e\x01\0\0\0\0\0\0\0\x07.", { bytes: [7] }],
    ["\x80\x05\x96\x01\0\0\0\0\0\0\0\x07.", { bytes: [7] }],
    ["].", []],
    ["(K\x01K\x02l.", [1, 2]],
    ["]K\x01a.", [1]],
    ["](K\x01K\x02e.", [1, 2]],
    [").", []],
    ["(K\x01t.", [1]],
    ["K\x01\x85.", [1]],
    ["K\x01K\x02\x86.", [1, 2]],
    ["K\x01K\x02K\x03\x87.", [1, 2, 3]],
    ["}.", []],
    ["(U\x01aK\x01d.", [["a", 1]]],
    ["}U\x01aK\x01s.", [["a", 1]]],
    [
      "}(U\x01aK\x01K\x02Nu.",
      [
        ["a", 1],
        [2, null],
      ],
    ],
    ["\x80\x04\x8f(K\x01K\x02K\x01\x90.", { set: [1, 2] }],
    ["\x80\x04(K\x01\x91.", { set: [1] }],
    ["K\x012\x86.", [1, 1]],
    ["K\x01K\x020.", 1],
    ["K\x01(K\x02K\x031.", 1],
    ["K\x01(0.", 1],
    ["]q\x05h\x05\x86.", [[], []]],
    ["]r\x05\0\0\0j\x05\0\0\0\x86.", [[], []]],
    ["]p7\ng7\n\x86.", [[], []]],
    ["\x80\x04]\x94h\0\x86.", [[], []]],
    ["\x80\x04\x95\x01\0\0\0\0\0\0\0N.", null],
    ["ccollections\nOrderedDict\n)R}U\x01xK\x01sb.", []],
    [
      "ccollections\nOrderedDict\n(]((U\x01aK\x01l(U\x01bK\x02letR.",
      [
        ["a", 1],
        ["b", 2],
      ],
    ],
    ["ccollections\nCounter\n}K\x03K\x01s\x85R.", [[3, 1]]],
    ["c__builtin__\nset\n](K\x01K\x02e\x85R.", { set: [1, 2] }],
    ["cbuiltins\nfrozenset\n]K\x01a\x85R.", { set: [1] }],
    ["c_codecs\nencode\n(X\x02\0\0\0\xc3\xbfU\x06latin1tR.", { bytes: [255] }],
    ["c__builtin__\nbytes\n)R.", { bytes: [] }],
    ["\x80\x04\x8c\x08builtins\x8c\x09bytearray\x93C\x01a\x85R.", { bytes: [97] }],
  ];
  test.each(cases)("[pickle.opcodes] %j", (pickle, value) => expect(plain(root(pickle))).toEqual(value));

  test("[pickle.opcodes] a list and a dictionary stay the same object wherever they are referred to", () => {
    const value = root(
      "]q\0(h\0h\0K\x01ae\x86.".replace("(h\0h\0K\x01ae", "h\0K\x01a"),
    ) as readonly PickleValue[];
    expect(value[0]).toBe(value[1]);
    expect(value[0]).toEqual([1]);
  });

  test("[pickle.opcodes] a text of more than 64 KiB is read on request", () => {
    const value = read(joined("X", le(70_000, 4), "a".repeat(70_000), ".")).root;
    expect(value instanceof LongText && value.read()).toBe("a".repeat(70_000));
  });

  // Python's own pickletools is the oracle for which bytes are opcodes at all.
  test("[pickle.opcodes] bytes that are no opcodes, and opcodes that create objects, are refused", () => {
    const script =
      "import pickletools, sys; sys.stdout.write(' '.join(str(ord(o.code)) for o in pickletools.opcodes))";
    const known = spawnSync("python3", ["-c", script], { encoding: "utf8" }).stdout.split(" ").map(Number);
    expect(known.length).toBe(68);
    for (let byte = 0; byte < 256; byte++)
      if (!known.includes(byte))
        refused(Uint8Array.of(byte, 0x2e), "pickle.opcodes", `has the byte ${byte} in place`);
    refused("ccollections\nOrderedDict\n)\x81.", "pickle.opcodes", "creates an object of a class");
    refused("(icollections\nOrderedDict\n.", "pickle.opcodes", "creates an object of a class");
    refused("(ccollections\nOrderedDict\no.", "pickle.opcodes", "creates an object of a class");
    refused("\x80\x04ccollections\nOrderedDict\n)}\x92.", "pickle.opcodes", "creates an object of a class");
    refused("\x80\x02\x82\x01.", "pickle.opcodes", "copyreg");
    refused("\x80\x05\x97.", "pickle.opcodes", "keeps its bytes outside");
    refused("P0\n.", "pickle.opcodes", "an object outside of it");
    refused("K\x01Q.", "pickle.opcodes", "an object outside of it");
    refused("\x80\x06N.", "pickle.opcodes", "protocol 6; 0 to 5 are read");
    refused("N.N.", "pickle.opcodes", "2 bytes follow the end");
  });
});

test("[pickle.opcodes] opcodes on values of another kind are refused", () => {
  const wrong = [
    ".",
    "0.",
    "t.",
    "1.",
    "(.",
    "a.",
    "]a.",
    "K\x01K\x02a.",
    ")K\x01a.",
    "}K\x01s.",
    "]K\x01K\x02s.",
    "(K\x01d.",
  ];
  wrong.push(
    "h\0.",
    "g-1\n.",
    "]R.",
    ")K\x01R.",
    "ccollections\nOrderedDict\n]R.",
    "}}b.",
    "K\x01}b.",
    "I1x\n.",
    "I010\n.",
    "F1_0\n.",
  );
  wrong.push(
    "S'a\n.",
    "S'\\q'\n.",
    "Sa\n.",
    "V\\u12\n.",
    "V\\ud800\n.",
    "X\x01\0\0\0\xff.",
    "T\xff\xff\xff\xff.",
    "\x80\x04K\x01K\x02\x93.",
  );
  wrong.push(
    "\x80\x04](K\x01\x90.",
    "\x80\x04(K\x01\x91(K\x02\x90.",
    "cnumpy\nndarray\n)R.",
    "cnumpy\ndtype\nK\x01\x85R.",
  );
  wrong.push(
    "c_codecs\nencode\n(U\x01aU\x05utf-8tR.",
    "ccollections\nOrderedDict\nK\x01\x85R.",
    "cbuiltins\nset\n}\x85R.",
  );
  for (const pickle of wrong) refused(pickle, "pickle.opcodes");
});

test("[pickle.globals] any name beside those of the table is refused, called or not", () => {
  const names = [
    "os system",
    "builtins eval",
    "posix system",
    "__main__ Trainer",
    "torch.nn.modules.linear Linear",
    "numpy.core.multiarray fromstring",
  ];
  names.push(
    "collections OrderedDict.__init__",
    "builtins getattr",
    "torch._utils _rebuild_tensor_v2",
    "constructor prototype",
    "__proto__ __proto__",
  );
  for (const name of names) {
    const [module = "", attribute = ""] = name.split(" ");
    const shown = `the pickle uses "${module}.${attribute}"; only tensors, arrays and plain data are built`;
    refused(`c${module}\n${attribute}\n.`, "pickle.globals", shown);
    refused(`c${module}\n${attribute}\n(U\x02idtR.`, "pickle.globals", shown);
    refused(`(U\x02idi${module}\n${attribute}\n.`, "pickle.globals", shown);
    refused(
      `\x80\x04\x8c${le(module.length, 1)}${module}\x8c${le(attribute.length, 1)}${attribute}\x93.`,
      "pickle.globals",
      shown,
    );
  }
  refused("csklearn.linear_model\nRidge\n.", "pickle.globals", "a model of scikit-learn or joblib");
  refused("cargparse\nNamespace\n.", "pickle.globals", "delete the entry in Python");
  refused("coptax._src.transform\nScaleByAdamState\n.", "pickle.globals", "a dictionary of numpy arrays");
  refused("cnumpy\nmatrix\n.", "pickle.globals", "a dictionary of numpy arrays");
});

test("[pickle.globals] functions and unfinished arrays are no data", () => {
  refused("ccollections\nOrderedDict\n.", "pickle.globals", "holds collections.OrderedDict");
  refused("}U\x01acnumpy\nndarray\ns.", "pickle.globals", 'holds numpy.ndarray at "a"');
  refused(
    "cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\0\x85U\x01btR.",
    "pickle.globals",
    "an array without values",
  );
});

test("[pickle.keys] keys are texts, integers and None; True and 1 are one key", () => {
  expect(plain(root("}(U\x01aK\x01NK\x02K\x05K\x03u."))).toEqual([
    ["a", 1],
    [null, 2],
    [5, 3],
  ]);
  expect(plain(root("}(K\x01K\x05\x88K\x06u."))).toEqual([[1, 6]]);
  for (const key of [")", "]", "F1.0\n".replace("1.0", "1.5"), "C\x01a", "L9007199254740993L\n"])
    refused(`}${key}K\x01s.`, "pickle.keys");
  refused("\x80\x04(]\x91.", "pickle.keys", "has a list as the key of a dictionary or in a set");
});

test("[pickle.names] two arrays of one name are refused, and paths lead to dictionaries", () => {
  const one = array().slice(2, -1);
  refused(`}(U\x03a.b${one}U\x01a}U\x01b${one}su.`, "pickle.names", 'two tensors have the name "a.b"');
  const file = read(`}(U\x01a](${one}}K\x07${one}seU\x01bNu.`);
  expect(file.keys).toEqual(["a.0", "a.1.7"]);
  expect(file.under("a", 1).keys).toEqual(["7"]);
  expect(() => file.under("b")).toThrow(
    'there is no dictionary or list under "b"; it begins with "a", "b"  [io.keys]',
  );
  expect(() => file.under("a", "length")).toThrow("[io.keys]");
});

describe("lengths", () => {
  test("[pickle.bounds] a file that is cut at any byte is an error", () => {
    for (const protocol of [0, 4]) {
      const bytes = readFileSync(`${HOME}/haiku/protocol-${protocol}.pickle`);
      for (let n = 1; n < bytes.length; n++) expect(() => read(bytes.subarray(0, n))).toThrow(LoadError);
    }
  });

  test("[pickle.bounds] lengths beyond the file are refused before memory is allocated", () => {
    const lengths = ["T\xff\xff\xff\x7f", "X\xff\xff\xff\xff", "B\xff\xff\xff\xff"];
    for (const opcode of ["\x8d", "\x8e", "\x96", "\x95"])
      lengths.push(`\x80\x05${opcode}\0\0\0\0\0\0\0\x10`, `\x80\x05${opcode}${"\xff".repeat(8)}`);
    for (const pickle of lengths) refused(`${pickle}abc.`, "pickle.bounds", "ends in the middle of a value");
    refused("\x8b\xff\xff\xff\x7f.", "pickle.bounds", "an integer of 2147483647 bytes");
    refused(`I${"1".repeat(1001)}\n.`, "pickle.bounds", "more than 1000 bytes");
  });

  test("[pickle.bounds] bytes of arrays are passed over, and read when they are used", () => {
    const data = "\0\0\x80?".repeat(1 << 20);
    const source = counting(latin1(array({ shape: `J${le(1 << 20, 4)}\x85`, data })));
    const file = openPickle(source, "f");
    const total = () => source.ranges.reduce((sum, [from, to]) => sum + to - from, 0);
    expect(total()).toBeLessThan(200_000);
    file.tensor("");
    expect(total()).toBeLessThan(200_000);
    expect(ndArray(file.tensor("").data).get(7)).toBe(1);
    expect(total()).toBeLessThan(200_000 + data.length + 1);
  });
});

describe("memory is proportional to the pickle", () => {
  /** Level n holds level n − 1 twice: 2ⁿ ways lead to the innermost value. */
  const laughs = (inner: string, n: number): string =>
    `${inner}${Array.from({ length: n }, (_, i) => `q${le(i, 1)}0}(U\x01ah${le(i, 1)}U\x01bh${le(i, 1)}u`).join("")}.`;

  test("[pickle.memory] containers that are referred to again and again are not expanded", () => {
    expect(read(laughs(array().slice(2, -1), 5)).keys).toHaveLength(32);
    refused(laughs(array().slice(2, -1), 60), "pickle.memory");
    for (const inner of ["N", "]"])
      refused(laughs(inner, 60), "pickle.memory", "refers to the same values again and again");
  });

  test("[pickle.memory] data that contains itself, and data nested too deep, is refused", () => {
    refused("]q\0h\0a.", "pickle.memory", "holds itself");
    refused("}q\0U\x01ah\0s.", "pickle.memory", "holds itself");
    refused(`${"]".repeat(200)}${"a".repeat(199)}.`, "pickle.memory", "nested more than 100 levels deep");
    expect(root(`${"]".repeat(100)}${"a".repeat(99)}.`)).toHaveLength(1);
    refused(`${"]".repeat(2e5)}${"a".repeat(2e5 - 1)}.`, "pickle.memory");
    refused(`N${"\x85".repeat(2e5)}.`, "pickle.memory");
  });

  test("[pickle.memory] calls do not copy the same values again and again", () => {
    const members = "K\x01".repeat(10_000);
    for (const call of ["cbuiltins\nset\nh\0\x85R0", "c__builtin__\nfrozenset\nh\0\x85R0"])
      refused(
        `](${members}eq\x000${call.repeat(2000)}N.`,
        "pickle.memory",
        "copies the same values again and again",
      );
    const pairs = `](${"(K\x01K\x01l".repeat(5000)}eq\x000`;
    refused(`${pairs}${"ccollections\nOrderedDict\nh\0\x85R0".repeat(2000)}N.`, "pickle.memory");
    const counts = `}(${Array.from({ length: 5000 }, (_, i) => `M${le(i, 2)}N`).join("")}uq\x000`;
    refused(`${counts}${"ccollections\nCounter\nh\0\x85R0".repeat(2000)}N.`, "pickle.memory");
  });

  test("[pickle.memory] 200,000 names of one array are listed, and found to share it, within seconds", () => {
    const started = performance.now();
    const file = read(`${array().slice(2, -1)}q\x000](${"h\0".repeat(200_000)}e.`);
    expect(file.keys).toHaveLength(200_000);
    expect(file.ties[0]).toHaveLength(200_000);
    expect(performance.now() - started).toBeLessThan(10_000); // copying the group for each name would take minutes
  });

  test("[pickle.memory] names are at most proportional to the pickle", () => {
    const key = `T${le(50_000, 4)}${"k".repeat(50_000)}q\x000`;
    const one = `${array().slice(2, -1)}q\x010`;
    const rows = (depth: number): string =>
      `${"}h\0".repeat(depth)}](${"h\x01".repeat(500)}e${"s".repeat(depth)}.`;
    refused(`${key}${one}${rows(50)}`, "pickle.memory", "names of the tensors are longer than the pickle");
  });
});

test("[pickle.opcodes] arbitrary bytes give data or a LoadError", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 60 }), (bytes) => {
      try {
        read(bytes);
      } catch (error) {
        if (!(error instanceof LoadError)) throw error;
      }
    }),
    { numRuns: 3000 },
  );
  expect(readdirSync(HOME)).toContain("haiku");
});
