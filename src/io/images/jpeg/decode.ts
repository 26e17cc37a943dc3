// JPEG files, decoded by libjpeg-turbo (docs/decisions), which Pillow uses, too. As in Pillow, the orientation of EXIF is not applied.
// [image.orientation]
import { Bug } from "../../../tensor/errors.ts";
import type { DecodedImage } from "../image.ts";
import { inflated } from "../inflate.ts";
import { refusal } from "../limits.ts";
import { TURBO, TURBO_LENGTH } from "./bytes.ts";
import { type Frame, frameIn } from "./markers.ts";

/** What is used of turbojpeg.h. */
interface Turbo {
  readonly memory: WebAssembly.Memory;
  malloc(bytes: number): number;
  tjInitDecompress(): number;
  tjDecompressHeader3(
    handle: number,
    file: number,
    size: number,
    width: number,
    height: number,
    subsampling: number,
    colours: number,
  ): number;
  tjDecompress2(
    handle: number,
    file: number,
    size: number,
    target: number,
    width: number,
    pitch: number,
    height: number,
    format: number,
    flags: number,
  ): number;
}

/** TJPF_GRAY, TJPF_RGB and TJPF_CMYK, by the number of components. */
const FORMATS = { 1: 6, 3: 0, 4: 11 } as const;
const LAYOUTS = { 1: "grey", 3: "rgb", 4: "cmyk" } as const;
const MODES = { 1: "L", 3: "RGB", 4: "CMYK" } as const;

let compiled: Promise<WebAssembly.Module> | null = null;

async function compile(): Promise<WebAssembly.Module> {
  const bytes = Uint8Array.from(atob(TURBO), (letter) => letter.charCodeAt(0));
  const module = await inflated([bytes], TURBO_LENGTH, "deflate-raw");
  if (typeof module === "string") throw new Bug(`the module of libjpeg-turbo is ${module}`);
  return WebAssembly.compile(module as Uint8Array<ArrayBuffer>);
}

/** libjpeg-turbo has called exit or longjmp. */
class Fatal extends Error {}

/** An instance of its own for each file, because a fatal error leaves its memory in an undefined state. */
async function instantiate(): Promise<Turbo> {
  compiled ??= compile();
  const fatal = (): never => {
    throw new Fatal();
  };
  const { exports } = await WebAssembly.instantiate(await compiled, {
    env: { setjmp: () => 0, longjmp: fatal },
    wasi_snapshot_preview1: {
      environ_sizes_get: () => 0,
      environ_get: fatal,
      proc_exit: fatal,
      fd_close: fatal,
      fd_seek: fatal,
      fd_write: fatal,
    },
  });
  return exports as unknown as Turbo;
}

/** The samples, or null where libjpeg-turbo reports an error or damaged data. */
function decompressed(
  turbo: Turbo,
  file: Uint8Array,
  { width, height, components }: Frame,
): Uint8Array | null {
  const source = turbo.malloc(file.length);
  const numbers = turbo.malloc(16);
  const target = turbo.malloc(width * height * components);
  if (source === 0 || numbers === 0 || target === 0) return null;
  new Uint8Array(turbo.memory.buffer).set(file, source);
  const handle = turbo.tjInitDecompress();
  const header = [numbers, numbers + 4, numbers + 8, numbers + 12] as const;
  if (turbo.tjDecompressHeader3(handle, source, file.length, ...header) !== 0) return null;
  const [w, h] = new Int32Array(turbo.memory.buffer, numbers, 2);
  if (w !== width || h !== height) return null; // the header that was checked is the one that is decoded
  const pitch = width * components;
  const format = FORMATS[components];
  if (turbo.tjDecompress2(handle, source, file.length, target, width, pitch, height, format, 0) !== 0)
    return null;
  return new Uint8Array(turbo.memory.buffer, target, height * pitch).slice();
}

/** `name` is the file's name for error messages. */
export async function decodeJpeg(file: Uint8Array, name: string): Promise<DecodedImage> {
  const frame = frameIn(file, name);
  const turbo = await instantiate();
  let samples: Uint8Array | null = null;
  try {
    samples = decompressed(turbo, file, frame);
  } catch (error) {
    if (!(error instanceof Fatal || error instanceof WebAssembly.RuntimeError)) throw error;
  }
  if (samples === null)
    throw refusal(
      name,
      "it cannot be decoded: its data are damaged, or its chroma is sampled in an unusual way; save it again  [image.damaged]",
    ); // [image.damaged]
  return {
    width: frame.width,
    height: frame.height,
    layout: LAYOUTS[frame.components],
    most: 255,
    mode: MODES[frame.components],
    samples,
  };
}
