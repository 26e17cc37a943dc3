// Warnings as sentences, each with the place it is about.
import type { Convention } from "../masks/convention.ts";
import { checkCounts } from "../masks/counts.ts";
import { invariants, verdictsOf } from "../masks/invariants.ts";
import { leaks, type RowClass } from "../masks/row-class.ts";
import type { Place } from "./state.ts";
import type { TokenView, View } from "./view.ts";

export interface Warning {
  readonly sentence: string;
  /** Something is wrong, or worth knowing. */
  readonly tone: "alarm" | "note";
  readonly at: Place | null;
}

const alarms: Partial<Record<RowClass, string>> = {
  "uniform-leak": "average all images, although the mask allows none (UNIFORM LEAK)",
  "unmasked-leak": "attend all images as if there were no mask (UNMASKED LEAK)",
  nan: "become NaN",
};

/** Neighbouring positions of one class. */
function runs(tokens: readonly TokenView[], band: number): { kind: RowClass; from: number; to: number }[] {
  const found: { kind: RowClass; from: number; to: number }[] = [];
  for (const { position, bands } of tokens) {
    const kind = bands[band]?.row.class ?? "zeroed";
    const last = found.at(-1);
    if (last?.kind === kind) last.to = position;
    else found.push({ kind, from: position, to: position });
  }
  return found;
}

const positions = (from: number, to: number): string =>
  from === to ? `position ${from} would` : `positions ${from} to ${to}`;

/** [inspector.leaks] */
function leakWarnings({ prompts, conventions }: View): Warning[] {
  return conventions.flatMap((convention, c) =>
    prompts.flatMap((tokens, prompt) =>
      runs(tokens, c)
        .filter(({ kind }) => leaks(kind) || kind === "nan") // [inspector.leaks]
        .map(({ kind, from, to }) => ({
          sentence: `Prompt ${prompt}, ${positions(from, to)} ${alarms[kind]}: ${convention.name}.`,
          tone: "alarm" as const,
          at: { prompt, position: from, image: 0 }, // [inspector.leaks]
        })),
    ),
  );
}

/** [inspector.counts] */
function countWarnings({ batch }: View): Warning[] {
  return checkCounts(batch.locations, batch.images, batch.real)
    .flatMap(({ findings }) => findings)
    .map(({ sentence, prompt, position, image, kind }) => ({
      sentence,
      tone:
        kind === "unreachable-image" || kind === "no-image-token" ? ("note" as const) : ("alarm" as const),
      at: position === null ? null : { prompt, position, image: image ?? 0 }, // [inspector.counts]
    }));
}

const known = new Map<string, Warning[]>();

/** What holds for a convention whatever the prompt: found on every short prompt, not written down here. [inspector.traits] */
export function traitsOf(convention: Convention): Warning[] {
  const before = known.get(convention.name);
  if (before) return before;
  const verdicts = verdictsOf(convention, { longest: 3, images: 1 }); // [inspector.traits]
  const told = (["prefix-stable", "step-equals-rows"] as const).filter((name) => verdicts[name] !== null); // [inspector.traits]
  const found: Warning[] = told.map((name) => ({
    sentence: `${convention.name} breaks a promise: “${invariants[name]}” It already fails on ${verdicts[name]?.kinds.length} tokens: ${verdicts[name]?.sentence}`,
    tone: "note",
    at: null,
  }));
  if (convention.unproven !== undefined)
    found.push({
      sentence: `No run stands behind ${convention.name}: ${convention.unproven}.`,
      tone: "note",
      at: null,
    });
  known.set(convention.name, found);
  return found;
}

/** Where decoding and the whole text part. */
function decodeWarnings({ steps, conventions, step }: View): Warning[] {
  return steps.flatMap((list, c) =>
    list.slice(0, step + 1).flatMap(({ refused, differs, from, to, rows }): Warning[] => {
      const name = conventions[c]?.name;
      if (refused !== null)
        return [{ sentence: `${name} cannot take this step: ${refused}.`, tone: "alarm", at: null }];
      if (!differs) return [];
      const { prompt, position } = differs;
      const row = rows[prompt]?.[position - from];
      const where = to - from === 1 ? "" : `, positions ${from} to ${to - 1}`;
      const sentence = `The cached step${where} is not the whole text's mask under ${name}: ${row?.reason}.`; // [inspector.decode]
      return [{ sentence, tone: "alarm", at: { prompt, position, image: 0 } }];
    }),
  );
}

export function warningsOf(view: View): Warning[] {
  const unknown = view.unknown.map((name): Warning => {
    return {
      sentence: `No convention is called “${name}”; this page shows “immediate” in its place.`,
      tone: "alarm",
      at: null,
    };
  });
  const traits = view.conventions.flatMap(traitsOf);
  return [...unknown, ...countWarnings(view), ...leakWarnings(view), ...decodeWarnings(view), ...traits];
}
