// Image files: PNG files with damaged chunks, made-up headers, and bytes with valid checksums; JPEG files with damaged bytes, headers
// of other sizes, and segments that are repeated.
import { crc32, deflateSync } from "node:zlib";
import fc from "fast-check";
import { readImage } from "../../../../src/io/images/read.ts";
import jpegs from "../../fixtures/images/jpeg.json" with { type: "json" };
import images from "../../fixtures/images/png.json" with { type: "json" };
import { damagedBytes } from "../bytes.ts";
import { expectThat, target } from "../target.ts";

const SIGNATURE = Buffer.from("89504e470d0a1a0a", "hex");
const pictures = images.images.map(({ png }) => new Uint8Array(Buffer.from(png, "base64")));

interface Chunk {
  readonly type: string;
  readonly data: Uint8Array;
}

function encoded(chunks: readonly Chunk[]): Uint8Array {
  const parts = chunks.map(({ type, data }) => {
    const body = Buffer.concat([Buffer.from(type.slice(0, 4).padEnd(4, "x"), "latin1"), data]);
    const chunk = Buffer.alloc(8 + body.length);
    chunk.writeUInt32BE(data.length);
    body.copy(chunk, 4);
    chunk.writeUInt32BE(crc32(body) >>> 0, 4 + body.length);
    return chunk;
  });
  return new Uint8Array(Buffer.concat([SIGNATURE, ...parts]));
}

const header = fc
  .tuple(
    fc.oneof(fc.nat({ max: 40 }), fc.constantFrom(2 ** 31 - 1, 2 ** 16, 4097)),
    fc.oneof(fc.nat({ max: 40 }), fc.constantFrom(2 ** 31 - 1, 2 ** 16, 4097)),
    fc.constantFrom(1, 2, 4, 8, 16, 0, 3),
    fc.constantFrom(0, 2, 3, 4, 6, 1),
    fc.constantFrom(0, 1, 2),
  )
  .map(([width, height, depth, colour, interlaced]): Chunk => {
    const data = Buffer.alloc(13);
    data.writeUInt32BE(width);
    data.writeUInt32BE(height, 4);
    data.set([depth, colour, 0, 0, interlaced], 8);
    return { type: "IHDR", data };
  });

const pixels = fc
  .oneof(
    fc.uint8Array({ maxLength: 400 }),
    fc.nat({ max: 400_000 }).map((n) => new Uint8Array(n)),
  )
  .map((data): Chunk => ({ type: "IDAT", data: deflateSync(data) }));

const other = fc.record({
  type: fc.constantFrom("PLTE", "tRNS", "tEXt", "IDAT", "IHDR", "IEND", "gAMA", "acTL"),
  data: fc.uint8Array({ maxLength: 800 }),
});

const made = fc
  .tuple(header, fc.array(other, { maxLength: 4 }), pixels, fc.array(other, { maxLength: 2 }))
  .map(([first, middle, image, last]) =>
    encoded([first, ...middle, image, ...last, { type: "IEND", data: new Uint8Array() }]),
  );

const read = async (bytes: Uint8Array): Promise<void> => {
  for (const mode of ["RGB", "L"] as const) {
    const { width, height, channels, data } = await readImage(bytes, mode, "picture");
    expectThat(data.length === width * height * channels, "a byte for each sample");
    expectThat(channels === (mode === "RGB" ? 3 : 1), "the channels of the mode");
  }
};

const shared = {
  asynchronous: true,
  size: (bytes: Uint8Array) => bytes.length,
  show: (bytes: Uint8Array) => Buffer.from(bytes).toString("hex"),
  read,
};

export const png = target<Uint8Array>({
  ...shared,
  inputs: fc.oneof(fc.constantFrom(...pictures), fc.constantFrom(...pictures).chain(damagedBytes), made),
});

const photographs = jpegs.images.map(({ jpeg }) => new Uint8Array(Buffer.from(jpeg, "base64")));

/** The segments of a JPEG file: from each marker up to the next; bytes 0xff 0x00 and restart markers stay within. */
function segmentsOf(file: Uint8Array): Uint8Array[] {
  const starts = [...file.keys()].filter((at) => {
    const next = file[at + 1] ?? 0;
    return file[at] === 0xff && next >= 0xc0 && next < 0xff && !(next >= 0xd0 && next <= 0xd7);
  });
  return starts.map((at, i) => file.slice(at, starts[i + 1] ?? file.length));
}

/** Segments of one or two files, in a changed order, with some left out or repeated. */
const rearranged = fc
  .tuple(fc.constantFrom(...photographs), fc.constantFrom(...photographs))
  .chain(([first, second]) => {
    const [own, other] = [segmentsOf(first), segmentsOf(second)];
    const segment = fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...own) }, fc.constantFrom(...other));
    return fc.tuple(fc.nat(own.length), fc.array(segment, { maxLength: 12 })).map(([kept, added]) => {
      const parts = [...own.slice(0, kept), ...added, ...own.slice(kept)];
      return Uint8Array.from(parts.flatMap((part) => [...part]));
    });
  });

/** A file whose header has other numbers: precision, sides, components and sampling factors. */
const resized = fc
  .tuple(fc.constantFrom(...photographs), fc.uint8Array({ minLength: 15, maxLength: 15 }), fc.nat(2 ** 15))
  .map(([file, values, which]) => {
    const copy = file.slice();
    const frame = [...copy.keys()].find(
      (at) => copy[at] === 0xff && [0xc0, 0xc1, 0xc2].includes(copy[at + 1] ?? 0),
    );
    for (const [i, value] of values.entries()) if ((which >> i) & 1) copy[(frame ?? 0) + 4 + i] = value & 31;
    return copy;
  });

export const jpeg = target<Uint8Array>({
  ...shared,
  inputs: fc.oneof(
    fc.constantFrom(...photographs),
    fc.constantFrom(...photographs).chain(damagedBytes),
    rearranged,
    resized,
  ),
});
