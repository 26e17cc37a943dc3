// Colours of optical flow: the colour wheel of Baker et al., "A Database and Evaluation Methodology for Optical Flow" (ICCV 2007), with
// the numbers of flow_utils.py of JOBR0/PerceiverIO_Pytorch, which is tomrunia/OpticalFlow_Visualization.
import { RuleError, ShapeError } from "../../tensor/errors.ts";
import { checkMember } from "../../tensor/given.ts";
import type { Image } from "./image.ts";

/** Displacements in pixels, rows from the top. */
export interface Flow {
  readonly width: number;
  readonly height: number;
  /** To the right. [height × width] */
  readonly u: Float64Array;
  /** Downwards. [height × width] */
  readonly v: Float64Array;
}

function checkFlow(caller: string, flow: Flow, name = "the flow"): void {
  checkMember(caller, { [name]: flow }, "u", "an object with width, height, u and v");
  const { width, height, u, v } = flow;
  if (u.length === width * height && v.length === width * height && u.length > 0) return;
  throw new ShapeError(
    `${name} of ${width}×${height} pixels has ${u.length} and ${v.length} displacements; it needs one of each for every pixel  [flow.colours]`,
  );
}

/** From red over yellow, green, cyan, blue and magenta to red: the colours of a segment, the channel that changes, and whether it grows. */
const SEGMENTS = [
  { colours: 15, full: 0, changes: 1, grows: true },
  { colours: 6, full: 1, changes: 0, grows: false },
  { colours: 4, full: 1, changes: 2, grows: true },
  { colours: 11, full: 2, changes: 1, grows: false },
  { colours: 13, full: 2, changes: 0, grows: true },
  { colours: 6, full: 0, changes: 2, grows: false },
] as const;

/** The 55 colours of the wheel, red, green and blue from 0 to 255. */
export const colourWheel: readonly (readonly [r: number, g: number, b: number])[] = SEGMENTS.flatMap(
  ({ colours, full, changes, grows }) =>
    Array.from({ length: colours }, (_, i) => {
      const part = Math.floor((255 * i) / colours); // [flow.wheel]
      const colour: [number, number, number] = [0, 0, 0];
      colour[full] = 255;
      colour[changes] = grows ? part : 255 - part;
      return colour;
    }),
);

/** The three bytes of a displacement whose length is a part of the greatest one. */
function colourOf(u: number, v: number): number[] {
  const length = Math.sqrt(u * u + v * v);
  const at = ((Math.atan2(-v, -u) / Math.PI + 1) / 2) * (colourWheel.length - 1);
  const index = Math.floor(at);
  const [below, above] = [colourWheel[index] ?? [], colourWheel[(index + 1) % colourWheel.length] ?? []];
  return [0, 1, 2].map((c) => {
    const mixed = (1 - (at - index)) * ((below[c] ?? 0) / 255) + (at - index) * ((above[c] ?? 0) / 255);
    return Math.floor(255 * (length <= 1 ? 1 - length * (1 - mixed) : mixed * 0.75)); // [flow.colours]
  });
}

/** The limit of displacements, in pixels. */
export interface FlowColourOptions {
  /** Limits displacements to 0 … clip before they are coloured, which loses those to the left and upwards, as in the source. */
  readonly clip?: number | undefined;
}

/**
 * The directions as hues and the lengths, relative to the greatest one, as saturations; no displacement is white. Throws a
 * ShapeError unless every pixel has a displacement, and a RuleError if `clip` is not above 0.
 */
export function flowImage(flow: Flow, { clip }: FlowColourOptions = {}): Image {
  checkFlow("flowImage", flow);
  if (clip !== undefined && !(clip > 0))
    throw new RuleError(`clip is ${clip}; it is a number of pixels above 0`, "flow.clip"); // [flow.clip]
  const limited = (x: number): number => (clip === undefined ? x : Math.min(clip, Math.max(0, x))); // [flow.clip]
  const { width, height } = flow;
  const [u, v] = [flow.u.map(limited), flow.v.map(limited)];
  const greatest = u.reduce((most, x, i) => Math.max(most, Math.sqrt(x * x + (v[i] ?? 0) ** 2)), 0);
  const scale = greatest + 1e-5; // [flow.colours]
  const data = new Uint8Array(3 * width * height);
  for (const [i, x] of u.entries()) data.set(colourOf(x / scale, (v[i] ?? 0) / scale), 3 * i);
  return { width, height, channels: 3, data };
}

/**
 * The distance of each displacement from the true one, relative to the greatest distance, as a grey image; pixels that are not `valid`
 * are black. Throws a ShapeError for flows of different sizes.
 */
export function flowErrorImage(flow: Flow, truth: Flow, valid?: ArrayLike<number>): Image {
  checkFlow("flowErrorImage", flow);
  checkFlow("flowErrorImage", truth, "the true flow");
  const { width, height } = flow;
  if (width !== truth.width || height !== truth.height || (valid && valid.length !== width * height))
    throw new ShapeError(
      `the flow has ${width}×${height} pixels, the true flow ${truth.width}×${truth.height}${valid ? `, and ${valid.length} pixels are marked` : ""}; they need the same  [flow.errors]`,
    );
  const errors = flow.u.map((u, i) => {
    const [du, dv] = [u - (truth.u[i] ?? 0), (flow.v[i] ?? 0) - (truth.v[i] ?? 0)];
    return Math.sqrt(du * du + dv * dv) * (valid ? (valid[i] ?? 0) : 1);
  });
  const greatest = errors.reduce((most, error) => Math.max(most, error), 0);
  const data = Uint8Array.from(errors, (error) => (greatest === 0 ? 0 : (error / greatest) * 255)); // [flow.errors]
  return { width, height, channels: 1, data };
}
