import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { expect, test } from "vitest";
import { loadPickle, openPickle } from "../../src/io/pickle/read.ts";
import { openSafetensors } from "../../src/io/safetensors/read.ts";
import { loadTorch, openTorch } from "../../src/io/torch/read.ts";
import { LoadError } from "../../src/tensor/errors.ts";
import { latin1, SIX, tensorPickle, torchFile, zipOf } from "../support/fixtures/files/archives.ts";
import { folders } from "../support/fixtures/temporary.ts";
import { fileOf } from "../support/properties/files.ts";

const fresh = folders();

const READERS = { safetensors: openSafetensors, torch: openTorch, pickle: openPickle };
type Reader = keyof typeof READERS;

function message(reader: Reader, bytes: Uint8Array): string {
  try {
    READERS[reader](bytes, "f");
  } catch (error) {
    expect(error).toBeInstanceOf(LoadError);
    return (error as LoadError).message;
  }
  return "";
}

/** The beginning of a zip archive whose first entry has this name. */
const zip = (name: string): string =>
  `PK\x03\x04\x00\x00${"\0".repeat(20)}${String.fromCharCode(name.length)}\0\0\0${name}${"\0".repeat(40)}`;

// https://github.com/microsoft/OmniParser/issues/34, https://github.com/huggingface/transformers/issues/27923,
// https://github.com/huggingface/safetensors/issues/414
const LFS = `version https://git-lfs.github.com/spec/v1\noid sha256:${"0".repeat(64)}\nsize 4294967296\n`;

/** Files that no reader opens: their first bytes as their formats define them. */
const FOREIGN: readonly (readonly [content: string, sentence: string])[] = [
  ["", "an empty file"],
  [LFS, "a Git LFS pointer, not the file itself; run git lfs pull"],
  [
    "\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.",
    "a PyTorch file (a pickle, as torch.save wrote it before",
  ],
  [
    "\x80\x04\x95\x10\0\0\0\0\0\0\0\x8c\x1asklearn.linear_model._ridge\x94",
    "a pickle of scikit-learn or joblib",
  ],
  ["\x80\x04\x95\x10\0\0\0\0\0\0\0\x8c\x13joblib.numpy_pickle\x94", "a pickle of scikit-learn or joblib"],
  ["<!DOCTYPE html><html><body>Sign in</body></html>", "a web page (HTML)"],
  ["\n<HTML><head></head></HTML>", "a web page (HTML)"],
  ['<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "an XML document"],
  [
    '{"metadata":{"total_size":1},\n"weight_map":{"a":"model-00001-of-00002.safetensors"}}',
    "the index of a model in several files",
  ],
  ['{"error":"Repository not found"}', "JSON text"],
  ["\x1f\x8b\x08\0\0\0\0\0\0\x03KLL\x04\0", "compressed with gzip"],
  ["(\xb5/\xfd\x04\0\x01\0\0", "compressed with Zstandard"],
  ["BZh91AY&SY\0\0\0\0", "compressed with bzip2"],
  ["\xfd7zXZ\0\0\x04\xe6\xd6\xb4\x46", "compressed with xz"],
  ["x\x9cKLL\x04\0", "compressed with zlib"],
  ["7z\xbc\xaf\x27\x1c\0\x04", "a 7z archive"],
  ["Rar!\x1a\x07\x01\0", "a RAR archive"],
  [`weights/model.bin${"\0".repeat(240)}ustar\x0000`, "a tar archive"],
  ["%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "a PDF document"],
  ["GGUF\x03\0\0\0\0\0\0\0\0\0\0\0", "a GGUF file"],
  ["\x89HDF\r\n\x1a\n\0\0\0\0\0\x08\x08\0", "an HDF5 file"],
  ["\x93NUMPY\x01\0v\0{'descr': '<f4'", "a NumPy array (.npy)"],
  ["\x08\x07\x12\x07pytorch\x1a\x052.1.0:\xff", "an ONNX model"],
  ["\x08\x01\x12\xb5\xd8\x03\n\xb8\x1f\n\x04call", "a TensorFlow graph (.pb)"],
  ["\n\x2d\n\x05input\x12\x0bPlaceholder*\x0b", "a TensorFlow graph (.pb)"],
  ["\x1c\0\0\0TFL3\x14\0 \0", "a TensorFlow Lite model"],
  ["PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", "a zip archive without a file in it"],
];

test.each(["safetensors", "torch", "pickle"] as const)(
  "[io.other-format] the reader of %s names files of other formats",
  (reader) => {
    for (const [content, sentence] of FOREIGN)
      for (const bytes of [latin1(content), latin1(content + (content === "" ? "" : "\0".repeat(5000)))])
        expect(message(reader, bytes)).toMatch(
          new RegExp(
            `^f: this is ${sentence.replace(/[.*+?^()|[\]\\]/g, "\\$&")}.*\\[io\\.other-format\\]$`,
            "s",
          ),
        );
  },
);

test("[io.other-format] a file of another reader names that reader", () => {
  const safetensors = fileOf({ w: { dtype: "F32", shape: [2], data_offsets: [0, 8] } }, 8);
  expect(message("torch", safetensors)).toContain("this is a safetensors file; open it with loadSafetensors");
  expect(message("pickle", safetensors)).toContain(
    "this is a safetensors file; open it with loadSafetensors",
  );
  expect(message("safetensors", torchFile())).toContain(
    "this is a PyTorch file (a zip with a pickle, as torch.save writes it); open it with loadTorch",
  );
  expect(message("pickle", torchFile())).toContain("open it with loadTorch");
  for (const first of ["archive/data.pkl", "model/.format_version"])
    expect(message("safetensors", latin1(zip(first)))).toContain("a PyTorch file (a zip with a pickle");
  const pickle = latin1("\x80\x04\x95\x02\0\0\0\0\0\0\0}\x94.");
  expect(message("safetensors", pickle)).toContain("this is a Python pickle; open it with loadPickle");
  expect(message("torch", pickle)).toContain("this is a Python pickle; open it with loadPickle");
  expect(openPickle(pickle, "f").keys).toEqual([]);
});

test("[io.other-format] zip archives that torch.save did not write are named by what they hold", () => {
  const archive = (...names: string[]): Uint8Array => zipOf(names.map((name) => ({ name, bytes: SIX })));
  const archives: readonly (readonly [bytes: Uint8Array, sentence: string])[] = [
    [archive("arr_0.npy", "arr_1.npy"), "a NumPy archive (.npz)"],
    [
      archive("m/data.pkl", "m/constants.pkl", "m/code/__torch__.py"),
      "a TorchScript archive, which holds code",
    ],
    [archive("m/data.pkl", "m/code/__torch__/x.py"), "a TorchScript archive, which holds code"],
    [
      archive("m/archive_format", "m/models/model.json", "m/data/weights/w"),
      "an archive of torch.export (.pt2)",
    ],
    [archive("metadata.json", "config.json", "model.weights.h5"), "a Keras model (.keras)"],
    [archive("word/document.xml"), "a zip archive; unpack it"],
  ];
  for (const [bytes, sentence] of archives) {
    expect(message("torch", bytes)).toContain(`this is ${sentence}`);
    expect(message("torch", bytes)).toContain("[io.other-format]");
  }
  expect(message("safetensors", archive("arr_0.npy"))).toContain("a NumPy archive (.npz)");
  expect(message("safetensors", archive("word/document.xml"))).toContain("a zip archive; unpack it");
  expect(
    message("torch", torchFile(tensorPickle(), [SIX], [{ name: "other/data.pkl", bytes: SIX }])),
  ).toContain("holds 2 pickles");
});

test("[io.other-format] a folder, and what Python's own tools write, are named too", () => {
  const folder = fresh();
  mkdirSync(folder);
  for (const load of [loadTorch, loadPickle])
    expect(() => load(folder)).toThrow("it is not a file; name a file");
  const script = [
    "import sys, tarfile, io, gzip, bz2, lzma, zlib, zipfile, base64, json",
    "tar = io.BytesIO(); t = tarfile.open(fileobj=tar, mode='w'); i = tarfile.TarInfo('a'); i.size = 1; t.addfile(i, io.BytesIO(b'x')); t.close()",
    "z = io.BytesIO(); f = zipfile.ZipFile(z, 'w', zipfile.ZIP_DEFLATED); f.writestr('a.txt', 'x' * 100); f.close()",
    "made = {'a tar archive': tar.getvalue(), 'compressed with gzip': gzip.compress(b'x'), 'compressed with bzip2': bz2.compress(b'x'),",
    "  'compressed with xz': lzma.compress(b'x'), 'compressed with zlib': zlib.compress(b'x'), 'a zip archive; unpack it': z.getvalue()}",
    "print(json.dumps({k: base64.b64encode(v).decode() for k, v in made.items()}))",
  ].join("\n");
  const made: Record<string, string> = JSON.parse(
    spawnSync("python3", ["-c", script], { encoding: "utf8" }).stdout,
  );
  expect(Object.keys(made)).toHaveLength(6);
  for (const [sentence, content] of Object.entries(made))
    expect(message("torch", Buffer.from(content, "base64"))).toContain(`this is ${sentence}`);
});
