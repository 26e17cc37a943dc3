// PNG files: pictures of every kind with damaged chunks, made-up headers, and bytes with valid checksums.
import { crc32, deflateSync } from "node:zlib";
import fc from "fast-check";
import { readPng } from "../../../../src/cli/png.ts";
import images from "../../fixtures/png-images.json" with { type: "json" };
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

export const png = target<Uint8Array>({
  inputs: fc.oneof(fc.constantFrom(...pictures), fc.constantFrom(...pictures).chain(damagedBytes), made),
  size: (bytes) => bytes.length,
  show: (bytes) => Buffer.from(bytes).toString("hex"),
  read(bytes) {
    const { width, height, values } = readPng(bytes, "picture.png");
    expectThat(values.length === width * height, "a value for each pixel");
    for (let i = 0; i < values.length; i++)
      expectThat((values[i] ?? -1) >= 0 && (values[i] ?? 2) <= 1, "grey values from 0 to 1");
  },
});
