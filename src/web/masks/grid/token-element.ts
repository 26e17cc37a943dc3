// The element of a token: its chip, and for each convention the text time, a cell for each image, and the outcome of the row. Both layouts
// have the same elements and differ in style only.

import { countOf, hasImage } from "../../../masks/counting/image-ranges.ts";
import { type Tiles, tilesOf } from "../../../masks/counting/tiles.ts";
import { isLeak } from "../../../masks/outcome.ts";
import { counted, reasonClause } from "../../../masks/sentences.ts";
import { type Child, colourClass, h, styled } from "../../shared/dom.ts";
import type { Band, TokenView } from "../view.ts";
import { fullOutcome, shortOutcome, tokenLabel } from "../words.ts";

export interface TokenLook {
  readonly prompt: number;
  readonly before: TokenView | undefined;
  readonly after: TokenView | undefined;
  /** Bars of a cell: the latents of an image, or its stored tiles. */
  readonly latents: number;
  readonly tiles: Tiles | null;
  /** For each convention the weights of the row, by image; null if cells show the mask. */
  readonly weights: readonly (readonly (readonly number[])[] | null)[];
  /** The images with a cell of their own; the others share one. */
  readonly shown: readonly number[];
  readonly names: readonly string[];
  readonly full: boolean;
}

export const idOf = (prompt: number, position: number, image: number | "rest"): string =>
  `at-${prompt}-${position}-${image}`;

type Mark = "seen" | "leak" | "nan" | "none";

function markOf({ row }: Band, m: number): Mark {
  if (row.outcome === "nan") return "nan";
  if (!hasImage(row.reaching, m + 1)) return "none";
  return isLeak(row.outcome) ? "leak" : "seen";
}

const MARK_LABELS: Record<Mark, string> = {
  seen: "seen",
  leak: "leaks in",
  nan: "not a number",
  none: "not seen",
};

const sum = (keys: readonly number[]): number => keys.reduce((a, w) => a + w, 0);

/** The weights of an image's keys as those of its bars, or as one where they cannot be divided among them. */
function folded(keys: readonly number[], bars: number): number[] {
  const size = keys.length / bars;
  if (!Number.isInteger(size)) return [sum(keys)];
  return Array.from({ length: bars }, (_, i) => sum(keys.slice(i * size, (i + 1) * size)));
}

/** A bar for each latent or tile: its weight relative to the largest of the row, or full height for the mask. `own`: the tiles that do
 * not only pad. */
function segments(weights: readonly number[] | null, bars: number, most: number, own: number): HTMLElement[] {
  const shown = weights ?? new Array<number>(bars).fill(1);
  return shown.map((weight, i) => {
    const pads = shown.length === bars && i >= own;
    const height = weights === null && pads ? 0 : most > 0 ? Math.max(0, weight / most) : 0;
    return styled(h(`i${pads ? ".pad" : ""}`, { "aria-hidden": "true" }), { "--w": `${height}` });
  });
}

function cellOf(view: TokenView, look: TokenLook, c: number, m: number, differs: boolean): HTMLElement {
  const band = view.bands[c] as Band;
  const mark = markOf(band, m);
  const joins = (other: TokenView | undefined) => {
    const neighbour = other?.bands[c];
    return mark === "seen" && neighbour !== undefined && markOf(neighbour, m) === mark;
  };
  const row = look.weights[c] ?? null;
  const weights = row?.[m] ? folded(row[m], look.latents) : null;
  const most = (row ?? []).reduce((all, keys) => Math.max(all, ...folded(keys, look.latents)), 0);
  const own = look.tiles ? tilesOf(look.tiles, look.prompt, m + 1) : look.latents;
  const tiles = look.tiles ? `, ${own} of ${look.tiles.most} tiles` : "";
  const weighed = weights?.some((weight) => weight !== 0) ?? mark !== "none";
  const bars = weighed && (weights !== null || look.latents > 1);
  const number = mark === "none" ? "" : `${m + 1}`;
  const classes = [
    "cell",
    colourClass(m + 1),
    mark,
    bars ? "bars" : "",
    joins(look.before) ? "on-left" : "",
    joins(look.after) ? "on-right" : "",
    differs ? "differs" : "",
  ];
  return h(
    `span.${classes.filter(Boolean).join(".")}`,
    {
      role: "gridcell",
      id: c === 0 ? idOf(look.prompt, view.position, m + 1) : null,
      "data-image": m + 1,
      "aria-label": `image ${m + 1}: ${MARK_LABELS[mark]}${tiles}${differs ? ", conventions differ" : ""}`,
    },
    number !== "" && h("b", {}, number),
    ...(bars
      ? segments(weights, look.latents, weights ? most : 1, isLeak(band.row.outcome) ? look.latents : own)
      : []),
  );
}

/** The cell of the images that have none of their own. */
function restCell(view: TokenView, look: TokenLook, c: number, differing: readonly boolean[]): HTMLElement {
  const band = view.bands[c] as Band;
  const hidden = band.row.imageCount - look.shown.length;
  const own = look.shown.filter((image) => markOf(band, image - 1) !== "none").length;
  const seen = band.row.outcome === "nan" ? hidden : countOf(band.row.reaching) - own;
  const ownDiffering = look.shown.filter((image) => differing[image - 1]).length;
  const differs = differing.filter(Boolean).length > ownDiffering;
  const text = `${counted(hidden, "other image")}: ${seen === 0 ? "not seen" : `${seen} seen`}`;
  return h(
    `span.cell.rest.${seen === 0 ? "none" : "some"}${differs ? ".differs" : ""}`,
    {
      role: "gridcell",
      id: c === 0 ? idOf(look.prompt, view.position, "rest") : null,
      "aria-label": `${text}${differs ? ", conventions differ" : ""}`,
    },
    seen > 0 && h("b", {}, `${seen}`),
  );
}

function bandOf(view: TokenView, look: TokenLook, c: number): Child[] {
  const band = view.bands[c] as Band;
  const { row } = band;
  const tone =
    row.outcome === "attends"
      ? colourClass(countOf(row.reaching) === 1 ? (row.reaching[0]?.[0] ?? 0) : 0)
      : row.outcome;
  const differing = band.differing();
  return [
    look.names.length > 1 && h("span.band-name", { "aria-hidden": "true" }),
    h("span.time", { role: "gridcell", "aria-label": `text time ${row.number}` }, `${row.number}`),
    ...look.shown.map((image) => cellOf(view, look, c, image - 1, differing[image - 1] ?? false)),
    look.shown.length < row.imageCount && restCell(view, look, c, differing),
    h(
      `span.verdict.${tone}${band.stepDiffers ? ".changed" : ""}`,
      { role: "gridcell", "aria-label": fullOutcome(row) },
      `${look.full ? fullOutcome(row) : shortOutcome(row)}${band.stepDiffers ? " !" : ""}`,
    ),
  ];
}

export function tokenElement(view: TokenView, look: TokenLook): HTMLElement {
  const { token, position, bands, when, differs } = view;
  const image = bands[0]?.row.image ?? 0;
  const kind =
    image > 0 ? `image.${colourClass(image)}` : token.padding ? "padding" : token.kind === 2 ? "end" : "word";
  const reason =
    look.full &&
    bands.length === 1 &&
    h("span.reason", { role: "gridcell" }, bands[0] ? reasonClause(bands[0].explain()) : "");
  return h(
    `div.token.${when}${differs ? ".differs" : ""}`,
    { role: "row", "data-position": position, "aria-rowindex": position + 1 },
    h("span.position", { "aria-hidden": "true" }, `${position}`),
    h(
      `span.chip.${kind}`,
      { role: "rowheader", id: idOf(look.prompt, position, 0), "data-image": 0 },
      image > 0 ? `image ${image}` : tokenLabel(token),
    ),
    ...bands.flatMap((_, c) => bandOf(view, look, c)),
    reason,
  );
}
