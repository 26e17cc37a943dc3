// Files that are often found under the name of a safetensors file, recognised by their first bytes.
import type { ByteSource } from "#host";

/** Bytes that are read to recognise a file. */
const BEGINNING = 4096;

interface Beginning {
  readonly bytes: Uint8Array;
  /** The bytes as characters, one each. */
  readonly text: string;
}

interface Format {
  readonly matches: (beginning: Beginning) => boolean;
  /** Completes "this is …". */
  readonly sentence: string;
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

const SAVE = "save its state dict with safetensors.torch.save_file";

/** The first match counts. */
const FORMATS: readonly Format[] = [
  {
    matches: reads(/^version https:\/\/git-lfs/),
    sentence: "a Git LFS pointer, not the file itself; run git lfs pull",
  },
  {
    matches: (b) => isZip(b) && firstEntry(b).endsWith(".npy"),
    sentence:
      "a NumPy archive (.npz); load it with numpy.load and save its arrays with safetensors.numpy.save_file",
  },
  {
    matches: (b) =>
      isZip(b) && /^[^/]+\/(data\.pkl|\.format_version|version|byteorder|code\/)/.test(firstEntry(b)),
    sentence: `a PyTorch file (a zip with a pickle, as torch.save writes it); load it with torch.load and ${SAVE}`,
  },
  { matches: isZip, sentence: "a zip archive; unpack it, and name the safetensors file in it" },
  {
    // The magic number of torch/serialization.py, 0x1950a86a20f9469cfc6c, as a pickle.
    matches: begins(0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19),
    sentence: `a PyTorch file (a pickle, as torch.save wrote it before version 1.6); load it with torch.load and ${SAVE}`,
  },
  {
    matches: ({ bytes }) => bytes[0] === 0x80 && (bytes[1] ?? 0) >= 2 && (bytes[1] ?? 0) <= 5,
    sentence: "a Python pickle; load it in Python, if you trust it, and save its tensors with safetensors",
  },
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
    sentence: "the index of a model in several files (.index.json); open the safetensors files that it names",
  },
  { matches: reads(/^\s*[{[]\s*["{[\]}]/), sentence: "JSON text; name the file with the tensors" },
  { matches: begins(0x1f, 0x8b), sentence: "compressed with gzip; unpack it with gunzip" },
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
];

/** Whether a file, although broken, begins as safetensors do: a length below 2⁴⁰, then a brace. */
const isCutOff = ({ bytes }: Beginning): boolean =>
  bytes[8] === 0x7b && [5, 6, 7].every((at) => bytes[at] === 0);

/**
 * The format of a file that is no safetensors file, as the end of a sentence "this is …"; null if it is not recognised. `known`
 * are the file's first bytes, as far as they have been read.
 */
export function otherFormat(source: ByteSource, known: readonly Uint8Array[]): string | null {
  if (source.size === 0) return "an empty file; write or download it again";
  const first = known.flatMap((bytes) => [...bytes.subarray(0, BEGINNING)]);
  const end = Math.min(source.size, BEGINNING);
  const bytes = Uint8Array.from(first.length < end ? [...first, ...source.read(first.length, end)] : first);
  const beginning = { bytes, text: Array.from(bytes, (byte) => String.fromCharCode(byte)).join("") };
  if (isCutOff(beginning)) return null;
  return FORMATS.find(({ matches }) => matches(beginning))?.sentence ?? null; // [io.other-format]
}
