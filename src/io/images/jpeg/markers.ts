// The markers of a JPEG file (ITU-T T.81, annex B), followed to its end before anything is decoded.
import { checkSize, MOST_PIXELS, refusal } from "../limits.ts";

/** Scans of one file. libjpeg-turbo's own fuzzers stop after 500; an encoder writes about ten. */
const MOST_SCANS = 500;
/** Pixels of all scans together: each scan of a progressive file visits the whole image again. */
const MOST_SCANNED = 32 * MOST_PIXELS;

/** A block of 8×8 samples takes at least one bit: the code of its mean. */
const MOST_PIXELS_PER_BYTE = 8 * 64;

/** Frames that libjpeg-turbo decodes: baseline, extended and progressive, with Huffman codes. */
const FRAMES = [0xc0, 0xc1, 0xc2];

const OTHER_FRAMES: Readonly<Record<number, string>> = {
  195: "lossless",
  197: "hierarchical",
  198: "hierarchical",
  199: "hierarchical",
  201: "with arithmetic coding",
  202: "with arithmetic coding",
  203: "lossless",
  205: "hierarchical",
  206: "hierarchical",
  207: "hierarchical",
};

const [EOI, SOS] = [0xd9, 0xda];

export interface Frame {
  readonly width: number;
  readonly height: number;
  readonly components: 1 | 3 | 4;
}

/** Markers without a length: TEM, and RST0 to RST7 outside of a scan. */
const standsAlone = (marker: number): boolean => marker === 0x01 || (marker >= 0xd0 && marker <= 0xd7);

/** The position of the next marker that ends the data of a scan; the end of the file if there is none. */
function endOfScan(file: Uint8Array, from: number): number {
  for (let at = file.indexOf(0xff, from); at >= 0; at = file.indexOf(0xff, at + 1)) {
    const next = file[at + 1] ?? 0;
    if (next !== 0 && next !== 0xff && !(next >= 0xd0 && next <= 0xd7)) return at;
  }
  return file.length;
}

function frameOf(segment: Uint8Array, name: string): Frame {
  const [precision, h1 = 0, h0 = 0, w1 = 0, w0 = 0, components = 0] = segment;
  if (precision !== 8)
    // [image.jpeg]
    throw refusal(
      name,
      `its samples have ${precision} bits; save it as an ordinary JPEG of 8 bits  [image.jpeg]`,
    );
  const [width, height] = [256 * w1 + w0, 256 * h1 + h0];
  checkSize(name, width, height);
  if ((components !== 1 && components !== 3 && components !== 4) || segment.length !== 6 + 3 * components)
    throw refusal(
      name,
      `its header has ${components} components; grey has 1, colours have 3 or 4; save it again  [image.jpeg]`,
    );
  return { width, height, components };
}

/** Refuses pixels that this many bytes of scans cannot hold, before memory is taken for them. */
function checkFilled({ width, height }: Frame, bytes: number, name: string): void {
  if (width * height <= MOST_PIXELS_PER_BYTE * bytes) return; // [image.bounded]
  throw refusal(name, `it has less data than ${width}×${height} pixels need  [image.damaged]`);
}

/**
 * The frame of a JPEG file. Throws a LoadError for a file that is cut short, that is of a kind that is not read, or that would take too
 * long.
 */
export function frameIn(file: Uint8Array, name: string): Frame {
  let [frame, scans, scanned]: [Frame | null, number, number] = [null, 0, 0];
  for (let at = 2; at < file.length; ) {
    if (file[at] !== 0xff)
      throw refusal(name, "there is no marker where one has to be: the file is damaged  [image.damaged]"); // [image.damaged]
    const marker = file[at + 1] ?? 0;
    if (marker === 0xff || standsAlone(marker)) {
      at += marker === 0xff ? 1 : 2;
      continue;
    }
    if (marker === EOI) {
      if (frame === null || scans === 0)
        throw refusal(name, "it has no image; save it again  [image.damaged]");
      checkFilled(frame, scanned, name);
      return frame;
    }
    const length = 256 * (file[at + 2] ?? 0) + (file[at + 3] ?? 0);
    const end = at + 2 + length;
    if (length < 2 || end > file.length) break;
    const other = OTHER_FRAMES[marker]; // [image.jpeg]
    if (other)
      throw refusal(name, `it is a JPEG ${other}; save it as an ordinary (baseline) one  [image.jpeg]`);
    if (FRAMES.includes(marker)) {
      if (frame !== null) throw refusal(name, "it has two headers; save it again  [image.damaged]");
      frame = frameOf(file.subarray(at + 4, end), name);
    }
    if (marker === SOS) {
      scans++;
      const { width, height } = frame ?? { width: 0, height: 0 };
      if (scans > MOST_SCANS || scans * width * height > MOST_SCANNED)
        throw refusal(
          name,
          `its ${width}×${height} pixels are in more scans than can be read; save it as a baseline JPEG  [image.limits]`,
        ); // [image.limits]
    }
    at = marker === SOS ? endOfScan(file, end) : end;
    scanned += at - end;
  }
  throw refusal(name, "it has no end; it is cut short, so fetch or save it again  [image.damaged]"); // [image.damaged]
}
