// Files that are often found under the name of another, recognised by their first bytes. One list serves all readers;
// io/images/formats.ts has the formats of images.
import type { ByteSource } from "#host";

/** Bytes that are read to recognise a file. */
const BEGINNING = 4096;

interface Beginning {
  readonly bytes: Uint8Array;
  /** The bytes as characters, one each. */
  readonly text: string;
}

/** The readers of this package. */
export type Reader = "safetensors" | "torch" | "pickle" | "json" | "image";

interface Format {
  readonly matches: (beginning: Beginning) => boolean;
  /** Completes "this is …". */
  readonly sentence: string;
  /** The reader that opens such files. */
  readonly reader?: Reader;
}

const begins =
  (...values: readonly number[]) =>
  ({ bytes }: Beginning): boolean =>
    values.every((value, i) => bytes[i] === value);
const reads =
  (pattern: RegExp) =>
  ({ text }: Beginning): boolean =>
    pattern.test(text);

const isZip = begins(0x50, 0x4b, 0x03, 0x04);
/** The name of a zip archive's first entry. */
function firstEntry({ bytes, text }: Beginning): string {
  const length = (bytes[26] ?? 0) + 256 * (bytes[27] ?? 0);
  return text.slice(30, 30 + length);
}

const NPZ =
  "a NumPy archive (.npz); load it with numpy.load and save its arrays with safetensors.numpy.save_file";
const ZIP = "a zip archive; unpack it, and name the file with the tensors in it";
const isPickle = ({ bytes }: Beginning): boolean =>
  bytes[0] === 0x80 && (bytes[1] ?? 0) >= 2 && (bytes[1] ?? 0) <= 5;

/** A length below 2⁴⁰, then a brace. */
const isSafetensors = ({ bytes }: Beginning): boolean =>
  bytes[8] === 0x7b && [5, 6, 7].every((at) => bytes[at] === 0);

/** The bytes of a protocol buffer's field after its length, which is a number of one byte or several. */
function afterLength({ text }: Beginning, at: number): string {
  let from = at;
  while (text.charCodeAt(from) >= 0x80) from++;
  return text.slice(from + 1);
}

/** ModelProto of onnx.proto: the version of the format, then the name of the program that wrote the file. */
const isOnnx = (b: Beginning): boolean =>
  b.bytes[0] === 0x08 && b.bytes[2] === 0x12 && /^[a-zA-Z]/.test(afterLength(b, 3));

/** SavedModel of saved_model.proto (version 1, then a graph with its description), or GraphDef of graph.proto (a node's name and op). */
function isTensorFlow(b: Beginning): boolean {
  if (begins(0x08, 0x01, 0x12)(b)) return afterLength(b, 3).startsWith("\n");
  const node = b.bytes[0] === 0x0a ? afterLength(b, 1) : "";
  const op = node.slice(2 + node.charCodeAt(1));
  return node.startsWith("\n") && op.startsWith("\x12") && /^[A-Z]\w/.test(op.slice(2));
}

/** The first match counts. */
const FORMATS: readonly Format[] = [
  {
    matches: isSafetensors,
    sentence: "a safetensors file; open it with loadSafetensors",
    reader: "safetensors",
  },
  {
    matches: reads(/^version https:\/\/git-lfs/),
    sentence: "a Git LFS pointer, not the file itself; run git lfs pull",
  },
  { matches: (b) => isZip(b) && firstEntry(b).endsWith(".npy"), sentence: NPZ },
  {
    matches: (b) =>
      isZip(b) && /^[^/]+\/(data\.pkl|\.format_version|version|byteorder|code\/)/.test(firstEntry(b)),
    sentence: "a PyTorch file (a zip with a pickle, as torch.save writes it); open it with loadTorch",
    reader: "torch",
  },
  { matches: isZip, sentence: ZIP },
  { matches: begins(0x50, 0x4b, 0x05, 0x06), sentence: "a zip archive without a file in it" },
  {
    // The magic number of torch/serialization.py, 0x1950a86a20f9469cfc6c, as a pickle.
    matches: begins(0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19),
    sentence:
      "a PyTorch file (a pickle, as torch.save wrote it before version 1.6); write it again in Python: torch.save(torch.load(…), …)",
  },
  {
    matches: (b) => isPickle(b) && /joblib|sklearn/.test(b.text),
    sentence:
      "a pickle of scikit-learn or joblib, which holds an object of Python; save its arrays with numpy or safetensors",
  },
  { matches: isPickle, sentence: "a Python pickle; open it with loadPickle", reader: "pickle" },
  {
    matches: reads(/^\s*<(!doctype|html|head|body)/i),
    sentence:
      "a web page (HTML); the download returned a page in place of the file, so check address and login",
  },
  {
    matches: reads(/^\s*<\?xml/i),
    sentence: "an XML document, such as a server's error message; check the address of the download",
  },
  {
    matches: reads(/^\s*\{.*"weight_map"/s),
    sentence:
      "the index of a model in several files (.index.json); open its folder with openPretrained, or a file that it names",
    reader: "json",
  },
  {
    matches: reads(/^\s*[{[]\s*["{[\]}]/),
    sentence: "JSON text; name the file with the tensors",
    reader: "json",
  },
  { matches: begins(0x1f, 0x8b), sentence: "compressed with gzip; unpack it with gunzip" },
  { matches: reads(/^BZh[1-9]/), sentence: "compressed with bzip2; unpack it with bunzip2" },
  {
    matches: begins(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00),
    sentence: "compressed with xz; unpack it with unxz",
  },
  {
    matches: ({ bytes }) => bytes[0] === 0x78 && [0x01, 0x5e, 0x9c, 0xda].includes(bytes[1] ?? 0),
    sentence:
      "compressed with zlib, as joblib does it; load it in Python and save its arrays with safetensors",
  },
  { matches: begins(0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c), sentence: "a 7z archive; unpack it with 7z x" },
  { matches: begins(0x52, 0x61, 0x72, 0x21, 0x1a, 0x07), sentence: "a RAR archive; unpack it with unrar x" },
  {
    matches: ({ text }) => text.startsWith("ustar", 257),
    sentence:
      "a tar archive; unpack it with tar xf, and name the file with the tensors in it (PyTorch wrote such files before version 0.2)",
  },
  { matches: reads(/^%PDF-/), sentence: "a PDF document; check the address of the download" },
  { matches: begins(0x28, 0xb5, 0x2f, 0xfd), sentence: "compressed with Zstandard; unpack it with unzstd" },
  {
    matches: reads(/^GGUF/),
    sentence:
      "a GGUF file, as llama.cpp reads it; convert the original weights, because GGUF's are often quantised",
  },
  {
    matches: begins(0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a),
    sentence: "an HDF5 file, as Keras writes it; load it in Python and save its arrays with safetensors",
  },
  {
    matches: begins(0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59),
    sentence: "a NumPy array (.npy); load it with numpy.load and save it with safetensors.numpy.save_file",
  },
  {
    matches: isOnnx,
    sentence: "an ONNX model; read its initializers in Python and save them with safetensors",
  },
  {
    matches: isTensorFlow,
    sentence: "a TensorFlow graph (.pb); load it in Python and save its variables with safetensors",
  },
  {
    matches: ({ text }) => text.startsWith("TFL3", 4),
    sentence: "a TensorFlow Lite model, which is often quantised; convert the original weights",
  },
];

/**
 * The format of a file that the reader does not open, as the end of a sentence "this is …"; null if it is not recognised, or the
 * reader's own. `known` are the file's first bytes, as far as they have been read.
 */
export function otherFormat(source: ByteSource, known: readonly Uint8Array[], reader: Reader): string | null {
  if (source.size === 0) return "an empty file; write or download it again";
  const first = known.flatMap((bytes) => [...bytes.subarray(0, BEGINNING)]);
  const end = Math.min(source.size, BEGINNING);
  const bytes = Uint8Array.from(first.length < end ? [...first, ...source.read(first.length, end)] : first);
  const beginning = { bytes, text: Array.from(bytes, (byte) => String.fromCharCode(byte)).join("") };
  if (reader === "torch" && isZip(beginning)) return null; // its directory tells: archiveFormat
  const found = FORMATS.find(({ matches }) => matches(beginning));
  return found === undefined || found.reader === reader ? null : found.sentence; // [io.other-format]
}

/** Zip archives that torch.save did not write, by the names of their entries. */
const ARCHIVES: readonly (readonly [matches: (names: readonly string[]) => boolean, sentence: string])[] = [
  [(names) => names.length > 0 && names.every((name) => name.endsWith(".npy")), NPZ],
  [
    (names) => names.some((name) => /^[^/]+\/(constants\.pkl$|code\/)/.test(name)),
    "a TorchScript archive, which holds code; save its state dict in Python: torch.save(torch.jit.load(…).state_dict(), …)",
  ],
  [
    (names) => names.some((name) => /(^|\/)(archive_format|models\/[^/]+\.json)$/.test(name)),
    "an archive of torch.export (.pt2), which holds a program; save a state dict in Python: torch.save(model.state_dict(), …)",
  ],
  [
    (names) => names.includes("model.weights.h5"),
    "a Keras model (.keras); load it in Python and save its arrays with safetensors",
  ],
  [(names) => !names.some((name) => /^[^/]+\/data\.pkl$/.test(name)), ZIP],
];

/** The format of a zip archive that torch.save did not write, as the end of a sentence "this is …"; null if it did. */
export const archiveFormat = (names: readonly string[]): string | null =>
  ARCHIVES.find(([matches]) => matches(names))?.[1] ?? null; // [io.other-format]
