// WAV files of 16-bit samples (RIFF, WAVE_FORMAT_PCM): "Multimedia Programming Interface and Data Specifications 1.0", IBM and Microsoft, 1991.
import { openFile } from "#host";
import { LoadError, RuleError } from "../../tensor/errors.ts";
import { checkMember } from "../../tensor/given.ts";
import { type FileContent, sourceOf } from "../file-content.ts";

/** Samples of sound. */
export interface Sound {
  /** Samples of a channel in a second. */
  readonly rate: number;
  /** Values from −1 to 1, one array for each channel. */
  readonly channels: readonly Float64Array[];
}

/** Bytes of a file at most: 11 minutes of stereo at 48 kHz. */
const MOST_BYTES = 2 ** 27;
const MOST_CHANNELS = 64;
const PCM = 1;
/** The format of files with more than two channels or 16 bits; its subformat begins with the number of the format. */
const EXTENSIBLE = 0xfffe;

const refusal = (name: string, problem: string): LoadError => new LoadError(`${name}: ${problem}`);
const textAt = (bytes: Uint8Array, at: number): string => String.fromCharCode(...bytes.subarray(at, at + 4));

interface Format {
  readonly rate: number;
  readonly channels: number;
}

function formatOf(bytes: Uint8Array, name: string): Format {
  if (bytes.length < 16)
    throw refusal(name, "its format is cut short; fetch or save it again  [sound.damaged]");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const isExtensible = view.getUint16(0, true) === EXTENSIBLE && bytes.length >= 26;
  const format = view.getUint16(isExtensible ? 24 : 0, true);
  const [channels, rate] = [view.getUint16(2, true), view.getUint32(4, true)];
  const [block, bits] = [view.getUint16(12, true), view.getUint16(14, true)];
  if (format !== PCM || bits !== 16)
    throw refusal(
      name,
      `its samples have ${bits} bits in format ${format}; 16-bit PCM (format 1) is read, so convert it, as with ffmpeg -i FILE -c:a pcm_s16le OUT.wav  [sound.format]`,
    ); // [sound.format]
  if (channels === 0 || channels > MOST_CHANNELS || block !== 2 * channels || rate === 0)
    throw refusal(
      name,
      `its header claims ${channels} channels, ${rate} samples a second and ${block} bytes for a sample of each; save it again  [sound.damaged]`,
    ); // [sound.damaged]
  return { rate, channels };
}

/** The bodies of the chunks "fmt " and "data". */
function chunksOf(
  bytes: Uint8Array,
  name: string,
): { readonly format: Uint8Array; readonly data: Uint8Array } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let format: Uint8Array | null = null;
  for (let at = 12; at + 8 <= bytes.length; ) {
    const [type, size] = [textAt(bytes, at), view.getUint32(at + 4, true)];
    const end = at + 8 + size;
    if (end > bytes.length) break;
    const body = bytes.subarray(at + 8, end);
    if (type === "fmt ") format = body;
    if (type === "data") {
      if (format) return { format, data: body };
      throw refusal(name, "its samples come before their format; save it again  [sound.damaged]");
    }
    at = end + (size % 2); // chunks begin at even offsets
  }
  throw refusal(name, "it has no samples, or ends within them; fetch or save it again  [sound.damaged]"); // [sound.damaged]
}

/** The sound of a WAV file in memory. Throws a LoadError that calls the file `name` unless it is whole and of 16-bit PCM. */
export function readWav(content: FileContent, name: string): Sound {
  const source = sourceOf(content, "readWav", "readWavFile");
  if (source.size > MOST_BYTES)
    throw refusal(
      name,
      `it has ${source.size} bytes; at most ${MOST_BYTES} are read, so cut it  [sound.limits]`,
    ); // [sound.limits]
  const bytes = source.read(0, source.size);
  if (textAt(bytes, 0) !== "RIFF" || textAt(bytes, 8) !== "WAVE")
    throw refusal(name, "this is no WAV file; convert it, as with ffmpeg -i FILE OUT.wav  [sound.format]"); // [sound.format]
  const { format, data } = chunksOf(bytes, name);
  const { rate, channels } = formatOf(format, name);
  if (data.length % (2 * channels) !== 0)
    throw refusal(name, "its last sample is cut short; fetch or save it again  [sound.damaged]"); // [sound.damaged]
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const length = data.length / (2 * channels);
  const channel = (c: number): Float64Array =>
    Float64Array.from({ length }, (_, i) => view.getInt16(2 * (i * channels + c), true) / 2 ** 15); // [sound.samples]
  return { rate, channels: Array.from({ length: channels }, (_, c) => channel(c)) };
}

/** `readWav` of a file, with the same errors. */
export function readWavFile(path: string): Sound {
  const file = openFile(path);
  try {
    return readWav(file, path);
  } finally {
    file.close();
  }
}

/** The 16 bits of a value: rounded towards 0, and clipped where they would not hold it. */
const sampleOf = (value: number): number =>
  Math.max(-(2 ** 15), Math.min(2 ** 15 - 1, Math.trunc(value * 2 ** 15))); // [sound.clipped]

/** The bytes of a WAV file of 16-bit PCM. Throws a RuleError for channels of different lengths, none, or a rate that is no whole number. */
export function encodeWav(sound: Sound): Uint8Array {
  checkMember("encodeWav", { sound }, "channels", "an object with rate and channels, as readWav returns it");
  const { rate, channels } = sound;
  const length = channels[0]?.length ?? 0;
  const isRate = Number.isInteger(rate) && rate > 0 && rate < 2 ** 32;
  if (
    !isRate ||
    channels.length === 0 ||
    channels.length > MOST_CHANNELS ||
    channels.some((c) => c.length !== length)
  )
    throw new RuleError(
      `a sound of ${channels.length} channels with ${channels.map((c) => c.length).join(", ")} samples at ${rate} a second; it needs 1 to ${MOST_CHANNELS} channels of one length and a whole rate`,
      "sound.written",
    ); // [sound.written]
  const block = 2 * channels.length;
  const bytes = new Uint8Array(44 + length * block);
  const view = new DataView(bytes.buffer);
  const text = (at: number, word: string) =>
    bytes.set(
      [...word].map((letter) => letter.charCodeAt(0)),
      at,
    );
  text(0, "RIFF");
  view.setUint32(4, bytes.length - 8, true);
  text(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, PCM, true);
  view.setUint16(22, channels.length, true);
  view.setUint32(24, rate, true);
  view.setUint32(28, rate * block, true);
  view.setUint16(32, block, true);
  view.setUint16(34, 16, true);
  text(36, "data");
  view.setUint32(40, length * block, true);
  for (const [c, samples] of channels.entries())
    for (const [i, value] of samples.entries()) view.setInt16(44 + i * block + 2 * c, sampleOf(value), true); // [sound.written]
  return bytes;
}
