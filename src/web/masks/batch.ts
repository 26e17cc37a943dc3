// The batch that the page shows: the prompts of its state, cut where the page would become slow.

import { batchOf, type MaskBatch } from "../../mask-report/batch.ts";
import { promptNotes } from "../../mask-report/notes.ts";
import type { NamedConvention } from "../../masks/conventions/conventions.ts";
import type { Tiles } from "../../masks/counting/tiles.ts";
import { longest, readPrompts } from "../../masks/prompts/prompt.ts";
import { STORED_TILES, type State } from "./state.ts";

export const MOST_PROMPTS = 64;
/** Characters of all prompts together that are split into tokens. */
const MOST_CHARACTERS = 400_000;
/** Tokens of all prompts together, padding included. */
const MOST_TOKENS = 20_000;

/** A limit of the page that the prompts exceed: how many of their prompts, characters or tokens are shown. */
export interface Cut {
  readonly unit: "prompts" | "characters" | "tokens";
  readonly shown: number;
  readonly of: number;
}

export interface TileMisfit {
  readonly prompt: number;
  readonly images: number;
  /** Images for which tiles are given. */
  readonly given: number;
}

export interface ShownBatch {
  readonly batch: MaskBatch;
  /** The place of each prompt in the batch; null for one without a token. */
  readonly numbers: readonly (number | null)[];
  readonly cuts: readonly Cut[];
  /** The first prompt whose images are not those that tiles are given for; tiles are then not shown. */
  readonly misfit: TileMisfit | null;
}

type Given = Pick<State, "prompts" | "images" | "padding" | "tiles">;

const cutTo = (unit: Cut["unit"], shown: number, of: number): Cut[] =>
  shown < of ? [{ unit, shown, of }] : [];

function tilesIn(
  { real }: MaskBatch,
  given: State["tiles"],
): { tiles: Tiles | null; misfit: TileMisfit | null } {
  const counts = real.map((_, b) => given[b] ?? given.at(-1) ?? []);
  const prompt = counts.findIndex((list, b) => list.length !== real[b]);
  if (given.length === 0) return { tiles: null, misfit: null };
  if (prompt < 0) return { tiles: { most: STORED_TILES, counts }, misfit: null };
  return { tiles: null, misfit: { prompt, images: real[prompt] ?? 0, given: counts[prompt]?.length ?? 0 } };
}

/**
 * The prompts with at least one token, padded to one length as by `flamboyance mask`. The image token is that of the convention's
 * codebase, or else a known one that occurs.
 */
export function batchIn(
  { prompts: given, images, padding, tiles: tileCounts }: Given,
  { source }: NamedConvention,
): ShownBatch {
  const prompts = given.slice(0, MOST_PROMPTS);
  const characters = Math.floor(MOST_CHARACTERS / Math.max(1, prompts.length));
  const read = readPrompts(
    prompts.map((prompt) => prompt.slice(0, characters)),
    { own: source.imageToken },
  );
  const { prompts: all, imageToken } = read;
  const tokens = all.filter(({ length }) => length > 0);
  const length = Math.min(longest(tokens), Math.floor(MOST_TOKENS / Math.max(1, tokens.length)));
  const cuts = [
    ...cutTo("prompts", prompts.length, given.length),
    ...cutTo("characters", characters, longest(prompts)),
    ...cutTo("tokens", length, longest(tokens)),
  ];
  const shown = tokens.map((prompt) => prompt.slice(0, length));
  const batch = batchOf(shown, {
    pad: padding,
    images: images.length > 0 ? images : undefined,
    marker: { text: imageToken, tokens: 1, length: 1 },
  });
  const notes = promptNotes(read);
  const numbers = all.map((prompt) => (prompt.length > 0 ? tokens.indexOf(prompt) : null));
  const { tiles, misfit } = tilesIn(batch, tileCounts);
  return { batch: { ...batch, tiles, notes }, numbers, cuts, misfit };
}
