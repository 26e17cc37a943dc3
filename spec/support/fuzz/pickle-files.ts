// Pickles and archives of torch.save with changes that are typical of accidents and of attacks: structure-aware, and the same for the
// same seed. A pickle is a list of opcodes, so that changes keep them whole.
import { readdirSync, readFileSync } from "node:fs";
import fc from "fast-check";
import {
  joined,
  latin1,
  le,
  SIX,
  VERSION,
  type ZipForm,
  type ZipPart,
  zipOf,
} from "../fixtures/files/archives.ts";
import { damagedBytes } from "./bytes.ts";

const HOME = "golden/data/pickled-files";

/** Files that torch.save and pickle.dump wrote. */
export const realFiles = (ending: ".pt" | ".pickle"): readonly Uint8Array[] =>
  readdirSync(HOME, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(ending))
    .sort()
    .map((path) => new Uint8Array(readFileSync(`${HOME}/${path}`)));

type Opcodes = readonly string[];

const text = (value: string): string => `X${le(value.length, 4)}${value}`;
const global = (name: string): string => `c${name.replace(/\.(?=[^.]*$)/, "\n")}\n`;

const scalar = fc.oneof(
  fc.constantFrom(
    "N",
    "\x88",
    "\x89",
    "I01\n",
    "I-7\n",
    "L99999999999999999999L\n",
    "Fnan\n",
    "F1.5\n",
    "K\x01",
    "M\x01\x02",
  ),
  fc.constantFrom(
    "\x8a\x09\0\0\0\0\0\0\0\0\x01",
    "G?\xf8\0\0\0\0\0\0",
    "S'a\\x41'\n",
    "Vb\\u6b0a\n",
    "C\x02ab",
    "U\x01c",
    "\x8c\x01d",
  ),
  fc.integer().map((n) => `J${le(n, 4)}`),
  fc.string({ maxLength: 5 }).map((value) => text(value.replace(/[^ -~]/g, "?"))),
);

const key = fc.oneof(
  fc.constantFrom("a", "b", "weight", "", "__proto__", "a.b", "constructor").map(text),
  fc.nat({ max: 255 }).map((n) => `K${le(n, 1)}`),
);

const shape = fc.array(fc.nat({ max: 4 }), { maxLength: 3 });
const ints = (numbers: readonly number[]): Opcodes => ["(", ...numbers.map((n) => `J${le(n, 4)}`), "t"];

const DTYPES = [
  ["f4", 4],
  ["f8", 8],
  ["i8", 8],
  ["u1", 1],
  ["b1", 1],
  ["f2", 2],
  ["O8", 8],
  ["U2", 8],
  ["c8", 8],
] as const;

/** An array of numpy. */
const array = fc
  .tuple(
    shape,
    fc.constantFrom(...DTYPES),
    fc.constantFrom("<", ">", "|"),
    fc.boolean(),
    fc.constantFrom(0, 0, 0, 0, 1, -1),
  )
  .map(([lengths, [code, width], order, fortran, more]): Opcodes => {
    const size = Math.max(0, lengths.reduce((product, n) => product * n, width) + more);
    return [
      ...[
        global("numpy.core.multiarray._reconstruct"),
        "(",
        global("numpy.ndarray"),
        "K\0",
        "\x85",
        "C\x01b",
        "t",
        "R",
      ],
      ...["(", "K\x01", ...ints(lengths), global("numpy.dtype"), "(", text(code), "\x89", "\x88", "t", "R"],
      ...[
        "(",
        "K\x03",
        text(order),
        "N",
        "N",
        "N",
        "J\xff\xff\xff\xff",
        "J\xff\xff\xff\xff",
        "K\0",
        "t",
        "b",
      ],
      ...[fortran ? "\x88" : "\x89", `B${le(size, 4)}${"\x01".repeat(size)}`, "t", "b"],
    ];
  });

const WIDTHS: Readonly<Record<string, number>> = {
  FloatStorage: 4,
  DoubleStorage: 8,
  LongStorage: 8,
  HalfStorage: 2,
  ComplexFloatStorage: 8,
};
const STORAGES = [
  "FloatStorage",
  "FloatStorage",
  "DoubleStorage",
  "LongStorage",
  "BoolStorage",
  "HalfStorage",
  "ComplexFloatStorage",
];

/** A tensor of a storage of 24 bytes ("0") or 48 ("1"), mostly one that fits. */
const tensor = fc
  .tuple(
    fc.constantFrom(...STORAGES),
    fc.constantFrom("0", "0", "0", "0", "1", "../0"),
    fc.constantFrom<number>(...Array(12).fill(0), 3, 12, -1, 2 ** 31 - 1),
    fc.constantFrom(0, 0, 0, 0, 0, 1, 5, -1, 2 ** 31 - 1),
    fc.constantFrom([], [1], [2], [2, 1], [1, 3], [0, 2], [3, 2], [7], [4, 4]),
    fc.constantFrom<number[] | null>(...Array(6).fill(null), [1, 2], [0, 0], [-1, 1], [2 ** 30, 1]),
  )
  .map(([type, name, count, offset, lengths, strides]): Opcodes => {
    const elements = count === 0 ? (name === "1" ? 48 : 24) / (WIDTHS[type] ?? 1) : count;
    const dense = (axis: number): number =>
      lengths.slice(axis + 1).reduce<number>((product, n) => product * n, 1);
    return [
      ...[
        global("torch._utils._rebuild_tensor_v2"),
        "(",
        "(",
        text("storage"),
        global(`torch.${type}`),
        text(name),
      ],
      ...[text("cpu"), `J${le(elements, 4)}`, "t", "Q", `J${le(offset, 4)}`, ...ints(lengths)],
      ...ints(lengths.map((_, axis) => strides?.[axis] ?? dense(axis))),
      ...["\x89", global("collections.OrderedDict"), ")", "R", "t", "R"],
    ];
  });

/** Data of a few levels above such leaves, in which containers are put into the memo and taken from it. */
function dataOf(leaf: fc.Arbitrary<Opcodes>): fc.Arbitrary<Opcodes> {
  const memo = fc.constantFrom("\0", "\x01");
  const { value } = fc.letrec<{ value: Opcodes; dict: Opcodes; list: Opcodes; tuple: Opcodes }>((tie) => ({
    value: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      { weight: 3, arbitrary: scalar.map((one): Opcodes => [one]) },
      { weight: 4, arbitrary: leaf },
      { weight: 3, arbitrary: tie("dict") },
      { weight: 2, arbitrary: tie("list") },
      { weight: 1, arbitrary: tie("tuple") },
    ),
    dict: fc
      .tuple(fc.array(fc.tuple(key, tie("value")), { maxLength: 4 }), memo)
      .map(
        ([items, at]): Opcodes => [
          "}",
          `q${at}`,
          "(",
          ...items.flatMap(([name, item]) => [name, ...item]),
          "u",
        ],
      ),
    list: fc
      .tuple(fc.array(tie("value"), { maxLength: 4 }), memo, fc.nat({ max: 3 }))
      .map(([items, at, twice]): Opcodes => {
        const again = items[0] === undefined || twice > 0 ? [] : [...items[0], `q${at}`, `h${at}`];
        return ["]", "(", ...items.flat(), ...again, "e"];
      }),
    tuple: fc.array(tie("value"), { maxLength: 3 }).map((items): Opcodes => ["(", ...items.flat(), "t"]),
  }));
  return value;
}

/** Opcodes that stand where they should not. */
const STRAY = [
  ...[
    "0",
    "1",
    "2",
    "(",
    "t",
    "l",
    "d",
    "a",
    "e",
    "s",
    "u",
    "R",
    "b",
    "Q",
    ".",
    ")",
    "]",
    "}",
    "N",
    "\x85",
    "\x86",
    "\x87",
  ],
  ...[
    "\x81",
    "\x92",
    "\x93",
    "\x94",
    "\x8f",
    "\x90",
    "\x91",
    "\x97",
    "\x98",
    "o",
    "P0\n",
    "\x80\x04",
    "\x80\xff",
    "\x82\x01",
    "\x84\0\0\0\0",
  ],
  ...["j\xff\xff\xff\xff", "r\xff\xff\xff\xff", "g0\n", "p1\n", "h\0", "q\0", "h\x01", "q\x01"],
  ...[
    "X\xff\xff\xff\xff",
    "B\xff\xff\xff\x7f",
    "T\xff\xff\xff\xff",
    `\x8d${"\0".repeat(7)}\x10`,
    `\x8e${"\xff".repeat(8)}`,
    `\x95${"\xff".repeat(8)}`,
  ],
  ...["\x8b\xff\xff\xff\x7f", "\x8b\xff\xff\xff\xff", `I${"9".repeat(2000)}\n`],
  ...[
    "os.system",
    "builtins.eval",
    "builtins.set",
    "collections.OrderedDict",
    "collections.Counter",
    "_codecs.encode",
  ].map(global),
  ...[
    "builtins.bytearray",
    "torch.Size",
    "torch.device",
    "numpy.dtype",
    "numpy.ndarray",
    "torch.storage.UntypedStorage",
  ].map(global),
  ...["iposix\nsystem\n", "h\0h\0\x86q\0", "(h\0h\0h\0h\0tq\0", "}q\0Xh\0s", "]q\0h\0a", "h\0h\0a"],
];

type Change = (opcodes: Opcodes) => Opcodes;

const change: fc.Arbitrary<Change> = fc.oneof(
  fc.tuple(fc.nat(), fc.constantFrom(...STRAY)).map(
    ([at, stray]): Change =>
      (all) =>
        all.toSpliced(at % (all.length + 1), 0, stray),
  ),
  fc.tuple(fc.nat(), fc.constantFrom(...STRAY)).map(
    ([at, stray]): Change =>
      (all) =>
        all.toSpliced(at % Math.max(1, all.length), 1, stray),
  ),
  fc.tuple(fc.nat(), fc.nat({ max: 6 })).map(
    ([at, n]): Change =>
      (all) =>
        all.toSpliced(at % Math.max(1, all.length), n),
  ),
  fc.tuple(fc.nat(), fc.nat({ max: 12 }), fc.nat(), fc.nat({ max: 40 })).map(
    ([from, n, to, times]): Change =>
      (all) => {
        const part = all.slice(from % Math.max(1, all.length)).slice(0, n);
        return all.toSpliced(to % (all.length + 1), 0, ...Array<Opcodes>(times).fill(part).flat());
      },
  ),
);

const picklesOf = (leaf: fc.Arbitrary<Opcodes>): fc.Arbitrary<Uint8Array> =>
  fc
    .tuple(dataOf(leaf), fc.constantFrom("\x80\x02", "\x80\x04", ""), fc.array(change, { maxLength: 2 }))
    .map(([opcodes, start, changes]) =>
      latin1(`${start}${changes.reduce((all, one) => one(all), opcodes).join("")}.`),
    );

/** Pickles of arrays, with up to two changes. */
export const pickleFiles = picklesOf(array);
/** Pickles of tensors and arrays, as an archive holds them. */
export const torchPickles = picklesOf(fc.oneof(tensor, tensor, array));

const lengths = fc.constantFrom(
  0,
  1,
  24,
  100,
  2 ** 16,
  2 ** 31,
  2 ** 32 - 1,
  2 ** 40,
  Number.MAX_SAFE_INTEGER,
);

const entry: fc.Arbitrary<Partial<ZipPart>> = fc.oneof(
  { weight: 60, arbitrary: fc.constant({}) },
  fc.record({ at: lengths }),
  fc.record({ size: lengths }),
  fc.record({ method: fc.constantFrom(8, 12, 99) }),
  fc.record({ flags: fc.constantFrom(1, 8, 0x800) }),
  fc.record({ localName: fc.constantFrom("x", "archive/data.pkl") }),
  fc.record({
    extra: fc
      .string({ maxLength: 4 })
      .map((field) => `FB${le(field.length, 2)}${field.replace(/[^ -~]/g, "?")}`),
  }),
  fc.record({
    name: fc.constantFrom(
      "archive/data.pkl",
      "archive/data/0",
      "data.pkl",
      "../x",
      "archive/constants.pkl",
      "\xff",
    ),
  }),
);

const form: fc.Arbitrary<ZipForm> = fc.oneof(
  { weight: 20, arbitrary: fc.constantFrom<ZipForm>({}, { long: true }) },
  fc.record({ long: fc.boolean(), comment: fc.constantFrom("", "PK\x05\x06", "x".repeat(100)) }),
  fc.record({ long: fc.boolean(), count: lengths }),
  fc.record({ long: fc.boolean(), directory: lengths }),
);

/** Archives with such a pickle, and changes of what their directories say. */
export const torchFiles: fc.Arbitrary<Uint8Array> = fc
  .tuple(
    torchPickles,
    fc.array(entry, { minLength: 5, maxLength: 5 }),
    form,
    fc.constantFrom<string>(...Array(8).fill("little"), "big", "x"),
  )
  .map(([pickle, changes, shape, order]) => {
    const parts: readonly ZipPart[] = [
      { name: "archive/data.pkl", bytes: pickle },
      { name: "archive/byteorder", bytes: latin1(order) },
      { name: "archive/data/0", bytes: SIX },
      { name: "archive/data/1", bytes: joined(SIX, SIX) },
      VERSION,
    ];
    return zipOf(
      parts.map((part, i) => ({ ...part, ...changes[i] })),
      shape,
    );
  });

/** Real files with damaged bytes. */
export const damagedReal = (ending: ".pt" | ".pickle"): fc.Arbitrary<Uint8Array> =>
  fc.constantFrom(...realFiles(ending)).chain(damagedBytes);
