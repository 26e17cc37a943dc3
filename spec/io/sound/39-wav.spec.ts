// WAV files, of 39-wav.md. Expected values: what scipy.io.wavfile writes and reads (golden/export/perceiver_data.py).
import { describe, expect, test } from "vitest";
import { loadSafetensors } from "../../../src/io/safetensors/read.ts";
import { encodeWav, readWav } from "../../../src/io/sound/wav.ts";
import { LoadError, RuleError } from "../../../src/tensor/errors.ts";
import { flat, Int } from "../../../src/tensor/tensor.ts";

const file = loadSafetensors("golden/data/perceiver-io/expected.safetensors");
const bytesNamed = (name: string): Uint8Array => {
  const stored = file.get(name);
  return Uint8Array.from(stored instanceof Int ? stored.data : []);
};
const [stereo, mono, samples] = [bytesNamed("stereo"), bytesNamed("mono"), flat(file.tensor("samples").data)];

/** The file with some bytes replaced. */
function changed(at: number, ...bytes: number[]): Uint8Array {
  const copy = stereo.slice();
  copy.set(bytes, at);
  return copy;
}

test("[sound.samples] the first channel of a stereo file has the values of the source's example", () => {
  const { rate, channels } = readWav(stereo, "stereo.wav");
  expect([rate, channels.length]).toEqual([48_000, 2]);
  expect([...(channels[0] ?? [])]).toEqual([...samples]);
  expect(channels[1]).not.toEqual(channels[0]);
});

test("[sound.written] the bytes are those that scipy writes", () => {
  expect(encodeWav(readWav(mono, "mono.wav"))).toEqual(mono);
  expect(encodeWav(readWav(stereo, "stereo.wav"))).toEqual(stereo);
});

test("[sound.clipped] values beyond 16 bits are limited, and fractions dropped", () => {
  const values = Float64Array.of(1, -1, 2, -2, 0.99999, -1.5 / 2 ** 15, 1.5 / 2 ** 15);
  const { channels } = readWav(encodeWav({ rate: 8000, channels: [values] }), "clipped.wav");
  expect([...(channels[0] ?? [])].map((x) => x * 2 ** 15)).toEqual([
    32767, -32768, 32767, -32768, 32767, -1, 1,
  ]);
});

test("[sound.format] chunks that are not known are passed over, those of an odd size with their padding", () => {
  const other = [...new TextEncoder().encode("LIST"), 3, 0, 0, 0, 1, 2, 3, 0];
  const longer = Uint8Array.from([...stereo.subarray(0, 36), ...other, ...stereo.subarray(36)]);
  expect(readWav(longer, "long.wav")).toEqual(readWav(stereo, "stereo.wav"));
});

test("[sound.format] format 65534 with the subformat PCM is read", () => {
  const extension = [22, 0, 16, 0, 3, 0, 0, 0, 1, 0, ...new Array(14).fill(0)];
  const head = changed(16, 40).subarray(0, 36);
  head.set([0xfe, 0xff], 20);
  const bytes = Uint8Array.from([...head, ...extension, ...stereo.subarray(36)]);
  expect(readWav(bytes, "wide.wav")).toEqual(readWav(stereo, "stereo.wav"));
});

describe("files that are refused", () => {
  test.each([
    ["[sound.format] no WAV file", changed(0, 0x49), "no WAV file"],
    ["[sound.format] floats", changed(20, 3), "format 3"],
    ["[sound.format] 24 bits", changed(34, 24), "24 bits"],
    ["[sound.damaged] no channels", changed(22, 0), "0 channels"],
    ["[sound.damaged] a block of three bytes", changed(32, 3), "3 bytes"],
    ["[sound.damaged] a rate of 0", changed(24, 0, 0, 0, 0), "0 samples a second"],
    ["[sound.damaged] a size beyond the file", changed(40, 255, 255, 255, 255), "ends within"],
    ["[sound.damaged] half a sample", changed(40, 199), "last sample"],
    ["[sound.damaged] a file that is cut short", stereo.subarray(0, stereo.length - 1), "ends within"],
    ["[sound.damaged] no samples", stereo.subarray(0, 36), "no samples"],
    ["[sound.damaged] no format", changed(12, 0x46), "before their format"],
    ["[sound.format] an empty file", new Uint8Array(0), "no WAV file"],
  ])("%s", (_, bytes, words) => {
    expect(() => readWav(bytes, "bad.wav")).toThrow(LoadError);
    expect(() => readWav(bytes, "bad.wav")).toThrow(`bad.wav: `);
    expect(() => readWav(bytes, "bad.wav")).toThrow(words);
  });

  test("[sound.limits] a file beyond 128 MiB is not read", () => {
    const read = (): never => {
      throw new Error("read");
    };
    expect(() => readWav({ size: 2 ** 27 + 1, read, close() {} }, "long.wav")).toThrow("cut it");
  });

  test.each([
    [8000.5, [[0]]],
    [0, [[0]]],
    [8000, []],
    [8000, [[0], [0, 1]]],
  ])("[sound.written] a rate of %d and channels %j", (rate, channels) => {
    const all = channels.map((channel) => Float64Array.from(channel));
    expect(() => encodeWav({ rate, channels: all })).toThrow(RuleError);
  });
});
