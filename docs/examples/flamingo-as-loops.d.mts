/** A list of numbers. */
export type Vec = readonly number[];
/** A list of rows. */
export type Mat = readonly Vec[];
export type Nested = number | readonly Nested[];
/** Parameters as nested lists, by state-dict key. */
export type Weights = Readonly<Record<string, Nested>>;

/** A mask (true: may attend) and the weights of a row without allowed keys. */
export interface Visibility {
  readonly allowed: (l: number, s: number) => boolean;
  readonly empty: "zero" | "uniform" | "nan";
  readonly zeroed: (l: number) => boolean;
  /** Added to the scaled score. */
  readonly bias?: (l: number, s: number) => number;
}
export interface VisibilityRule {
  readonly lastOnly: boolean;
  readonly empty: Visibility["empty"];
  readonly zeroBefore: boolean;
}
export interface FlamingoShape {
  readonly depth: number;
  readonly heads: number;
  readonly dimHead: number;
  readonly every: number;
  readonly perceiverDepth: number;
  readonly mediaTokenId: number;
  readonly rule: VisibilityRule;
}

export function flamingo(w: Weights, ids: Vec, images: readonly Mat[] | null, shape: FlamingoShape): Mat;
export function videoFeatures(frames: readonly Mat[], positions: Mat): Mat;
export function perceiverResampler(w: Weights, images: readonly Mat[], depth: number, heads: number): Mat[];
export function perceiverAttention(w: Weights, features: Mat, latents: Mat, heads: number): Mat;
export function locations(ids: Vec, mediaTokenId: number): boolean[];
export function textTime(located: readonly boolean[]): number[];
export function visibilityOf(located: readonly boolean[], latents: number, rule: VisibilityRule): Visibility;
export function maskedCrossAttention(
  w: Weights,
  y: Mat,
  media: readonly Mat[],
  heads: number,
  visibility?: Visibility,
): Mat;
export const everything: Visibility;
export function attention(
  q: Mat,
  k: Mat,
  v: Mat,
  heads: number,
  keyHeads: number,
  visibility: Visibility,
): Mat;
export function gatedBlock(
  w: Weights,
  y: Mat,
  media: readonly Mat[],
  heads: number,
  visibility?: Visibility,
  fed?: (l: number) => boolean,
): Mat;
export function parallelBlock(w: Weights, x: Mat, heads: number, dimHead: number): Mat;
export function rotate(x: Vec, l: number, theta: Vec): Vec;
export function swiglu(x: Vec): Vec;
export function linear(w: Weights, x: Vec): Vec;
export function layerNorm(gamma: Vec, beta: Vec, x: Vec, epsilon?: number): Vec;
export function norm(w: Weights, x: Vec): Vec;
export function feedForward(w: Weights, x: Mat): Mat;
export function gelu(x: number): number;
export function silu(x: number): number;
export function plus(x: Mat, y: Mat): Mat;
export function under(w: Weights, part: string): Weights;
