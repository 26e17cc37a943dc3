// Compares the conventions with the exhaustive mask cases: every row of every short prompt that a released package was run on.
import type { MaskCases, MaskSource } from "../../io/golden/masks.ts";
import { conventionOf, conventions } from "../../masks/conventions/conventions.ts";
import type { Convention } from "../../masks/conventions/schema.ts";
import { EFFECT } from "../../masks/exhaustive/effect.ts";
import { effectsOf, MODES, type Mode, promptsOfMode } from "../../masks/exhaustive/exhaustive.ts";
import type { ShortPrompt } from "../../masks/exhaustive/prompts.ts";
import { checkMember } from "../../tensor/given.ts";

/** The verdict on one release that was run. */
export interface MaskVerdict {
  readonly name: string;
  readonly convention: string;
  readonly package: string;
  readonly version: string;
  /** Rows compared: those that the source did not refuse. */
  readonly rows: number;
  readonly disagreements: number;
  /** Rows of prompts that the source refuses or raises on. */
  readonly refused: number;
  readonly first: MaskDisagreement | null;
}

/** A row whose effect is not the convention's, or a group with another number of rows than its prompts have positions. */
export type MaskDisagreement =
  | {
      readonly kind: "row";
      readonly prompt: ShortPrompt;
      readonly images: number;
      readonly position: number;
      readonly measured: number;
      readonly expected: number;
    }
  | { readonly kind: "row-count"; readonly group: string; readonly rows: number; readonly expected: number };

export interface MaskSummary {
  readonly rows: number;
  readonly disagreements: number;
  readonly refused: number;
  readonly sources: number;
  /** Conventions without a run of their source. */
  readonly unproven: readonly { readonly name: string; readonly why: string }[];
}

/** The longest prompts that are compared: whole and decoded. */
export interface Reach {
  readonly full: number;
  readonly cached: number;
}

type Expected = (mode: Mode, images: number, longest: number) => readonly (readonly number[])[];

/** The effects under a convention, computed once for all releases that follow it. */
function expectations(effects: typeof effectsOf): (convention: Convention) => Expected {
  const known = new Map<string, readonly (readonly number[])[]>();
  return (convention) => (mode, images, longest) => {
    const key = `${convention.name}/${mode}/${images}/${longest}`;
    const rows =
      known.get(key) ??
      promptsOfMode(mode, longest).map((prompt) => effects(mode, prompt, images, convention));
    known.set(key, rows);
    return rows;
  };
}

/** The groups of a source, "steps.2" as ["steps", 2]. */
const groupOf = (group: string): [Mode, number] => {
  const [mode = "", images = ""] = group.split(".");
  return [MODES.find((one) => one === mode) ?? "full", Number(images)];
};

const lengthOf = (mode: Mode, { longest }: MaskCases, reach: Reach): number =>
  mode === "full"
    ? Math.min(longest.full, reach.full)
    : mode === "ends"
      ? Math.min(longest.ends, reach.full)
      : Math.min(longest.cached, reach.cached);

function checkSource(
  cases: MaskCases,
  source: MaskSource,
  convention: Convention,
  expected: Expected,
  reach: Reach,
): MaskVerdict {
  let [rows, disagreements, refused] = [0, 0, 0];
  let first: MaskDisagreement | null = null;
  for (const [group, measured] of cases.rowsOf(source.name)) {
    const [mode, images] = groupOf(group);
    const longest = lengthOf(mode, cases, reach);
    const prompts = promptsOfMode(mode, longest);
    let at = 0;
    expected(mode, images, longest).forEach((bytes, p) => {
      bytes.forEach((byte, i) => {
        const effect = measured[at++];
        if (effect === EFFECT.refused)
          refused++; // [mask.refused]
        else rows++;
        if (effect === byte) return; // [mask.golden] [mask.refuses]
        disagreements++;
        const prompt = prompts[p] ?? { kinds: [] };
        const position = i + (prompt.first ?? 0);
        first ??= { kind: "row", prompt, images, position, measured: effect ?? 0, expected: byte };
      });
    });
    if (longest === lengthOf(mode, cases, EVERYTHING) && at !== measured.length) {
      disagreements++;
      first ??= { kind: "row-count", group, rows: measured.length, expected: at }; // [mask.golden]
    }
  }
  const { name, package: from, version } = source;
  return { name, convention: convention.name, package: from, version, rows, disagreements, refused, first };
}

export const EVERYTHING: Reach = { full: Number.POSITIVE_INFINITY, cached: Number.POSITIVE_INFINITY };
/** The longest prompts of a quick check. */
export const QUICK: Reach = { full: 6, cached: 4 };

/** One verdict for each source; `conventionFor` replaces the convention of a name. */
export function checkMasks(
  cases: MaskCases,
  reach: Reach = EVERYTHING,
  options: {
    readonly conventionFor?: (name: string) => Convention;
    /** The effects under a convention; tests replace them. */
    readonly effects?: typeof effectsOf;
    readonly onProgress?: (done: number, total: number, name: string) => void;
  } = {},
): MaskVerdict[] {
  checkMember("checkMasks", { cases }, "sources", "the exhaustive cases of masks");
  const { conventionFor = conventionOf, effects = effectsOf, onProgress } = options;
  const expected = expectations(effects);
  return cases.sources.map((source, i) => {
    onProgress?.(i, cases.sources.length, source.name);
    const convention = conventionFor(source.convention);
    return checkSource(cases, source, convention, expected(convention), reach);
  });
}

export function summariseMasks(verdicts: readonly MaskVerdict[]): MaskSummary {
  const sum = (count: (v: MaskVerdict) => number) => verdicts.reduce((n, v) => n + count(v), 0);
  const all: readonly Convention[] = Object.values(conventions);
  const unproven = all.flatMap(({ name, unproven: why, unprovenStep }) => {
    if (why !== undefined) return [{ name, why }]; // [mask.unproven]
    return unprovenStep === undefined ? [] : [{ name: `${name} (cached step)`, why: unprovenStep }];
  });
  return {
    rows: sum((v) => v.rows),
    disagreements: sum((v) => v.disagreements),
    refused: sum((v) => v.refused),
    sources: verdicts.length,
    unproven,
  };
}
