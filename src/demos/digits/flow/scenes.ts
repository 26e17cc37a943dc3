// Pairs of frames in which handwritten digits move, and the motion of every pixel.
import { type Generator, generator } from "../../../tensor/random.ts";
import { type Floats, Tensor, view } from "../../../tensor/tensor.ts";
import { type Picture, pick, SIDE } from "../data.ts";

/** Height and width of a frame, in pixels. */
export const FRAME = [16, 24] as const;
const [HEIGHT, WIDTH] = FRAME;
const PIXELS = HEIGHT * WIDTH;
/** The largest motion in each direction, in pixels. */
const REACH = 3;

/** A digit in two frames: the upper left corner of its 8 × 8 pixels in the first, and its motion, in pixels. */
export interface Moving {
  readonly picture: Picture;
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly down: number;
}
/** The digits of a pair of frames, which cover each other in neither. */
export type Scene = readonly Moving[];

const whole = (from: number, to: number, { uniform }: Generator): number =>
  from + Math.floor((to - from + 1) * uniform());

/** A random digit at a random place with a motion that keeps it inside of the frame. */
function moving(pictures: readonly Picture[], draw: Generator): Moving {
  const along = (side: number): [at: number, by: number] => {
    const at = whole(0, side - SIDE, draw);
    return [at, whole(Math.max(-REACH, -at), Math.min(REACH, side - SIDE - at), draw)]; // [digits.flow-scenes]
  };
  const [left, right] = along(WIDTH);
  const [top, down] = along(HEIGHT);
  return { picture: pick(pictures, draw), left, top, right, down };
}

/** Whether the squares of two digits are apart in both frames. */
const apart = (a: Moving, b: Moving): boolean =>
  [0, 1].every((t) => {
    const across = Math.abs(a.left + t * a.right - b.left - t * b.right);
    const along = Math.abs(a.top + t * a.down - b.top - t * b.down);
    return Math.max(across, along) >= SIDE;
  });

/** Two random digits that do not cover each other. */
export function scene(pictures: readonly Picture[], draw: Generator): Scene {
  for (;;) {
    const [one, other] = [moving(pictures, draw), moving(pictures, draw)];
    if (apart(one, other)) return [one, other]; // [digits.flow-scenes]
  }
}

const HELD_OUT_PAIRS = 200;

/** The same 200 pairs of frames for every run. */
export function heldOutScenes(pictures: readonly Picture[]): Scene[] {
  const draw = generator(0, "held-out pairs of frames"); // [digits.flow-held-out]
  return Array.from({ length: HELD_OUT_PAIRS }, () => scene(pictures, draw));
}

/** The index in a frame of each of a digit's pixels. */
const placesOf = ({ picture, left, top }: Pick<Moving, "picture" | "left" | "top">): number[] =>
  Array.from(picture.pixels, (_, i) => (top + Math.floor(i / SIDE)) * WIDTH + left + (i % SIDE));

/** The ink of the first frame (0), or of the second (1), row by row. */
export function frame(shown: Scene, time: 0 | 1): Float64Array {
  const ink = new Float64Array(PIXELS);
  for (const { picture, left, top, right, down } of shown) {
    const places = placesOf({ picture, left: left + time * right, top: top + time * down });
    for (const [i, place] of places.entries()) ink[place] = picture.pixels[i] ?? 0;
  }
  return ink;
}

/** The motion of each pixel of the first frame, all x before all y: that of the digit where there is ink, else zero. */
export function motion(shown: Scene): Float64Array {
  const values = new Float64Array(2 * PIXELS);
  for (const { picture, right, down, ...at } of shown)
    for (const [i, place] of placesOf({ picture, ...at }).entries())
      if ((picture.pixels[i] ?? 0) > 0) [values[place], values[PIXELS + place]] = [right, down]; // [digits.flow-truth]
  return values;
}

function batch(scenes: readonly Scene[], channels: number, of: (shown: Scene) => Floats): Tensor<"b c h w"> {
  const values = new Float64Array(scenes.length * channels * PIXELS);
  for (const [i, shown] of scenes.entries()) values.set(of(shown), i * channels * PIXELS);
  const shape = [scenes.length, channels, ...FRAME];
  return new Tensor<"b c h w">(shape, view(values, shape));
}

/** The first and the second frames of scenes. */
export const frames = (scenes: readonly Scene[]) =>
  [batch(scenes, 1, (shown) => frame(shown, 0)), batch(scenes, 1, (shown) => frame(shown, 1))] as const;

/** The motions of scenes, x before y. */
export const motions = (scenes: readonly Scene[]): Tensor<"b c h w"> => batch(scenes, 2, motion);
