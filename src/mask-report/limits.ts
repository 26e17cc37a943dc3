// Limits of a mask report, and whether a grid is within them. Time and memory grow with the positions of a batch and with what is
// shown.
import { MOST_IDS } from "../io/token-ids.ts";
import { widthOf } from "../terminal/width.ts";

/** Positions of a batch: prompts times their padded length. As many as a file has ids. */
export const MOST_POSITIONS = MOST_IDS;
/** Positions of a batch that is decoded token by token. */
export const MOST_DECODED = 100_000;
/** Entries of the mask up to which the document of --json lists every token and every row, and not only runs of equal rows. */
export const MOST_LISTED = 65_536;
/** Runs and warnings in the document of --json. */
export const MOST_ENTRIES = 100_000;
/** Tokens of a prompt, and columns of its images, up to which its mask is drawn as a grid. */
const GRID = { tokens: 100, columns: 64 } as const;
/** Prompts, and runs of a prompt, that are printed. */
export const MOST_PROMPTS = 16;
export const MOST_RUNS = 256;
/** Runs up to which the reason for each is printed. */
export const MOST_REASONS = 16;
/** Rows of decoding, and warnings, that are printed. */
export const MOST_LINES = 16;

/** Whether prompts of this length, and the columns of their images, are few enough for a grid. */
export const hasGrid = (length: number, columns: number): boolean =>
  length <= GRID.tokens && columns <= GRID.columns;

const COLOUR = new RegExp(`${String.fromCharCode(27)}\\[[\\d;]*m`, "g");

/** Whether no line is wider than the terminal. Colours take no columns. */
export const fits = (text: string, width: number): boolean =>
  text
    .replace(COLOUR, "")
    .split("\n")
    .every((line) => widthOf(line) <= width);
