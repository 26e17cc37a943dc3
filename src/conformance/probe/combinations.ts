// Conventions that have no name: combinations of the vocabulary in which conventions are written.
import { lastImages } from "../../masks/conventions/last.ts";
import { paper } from "../../masks/conventions/paper.ts";
import { type Convention, FIELD_VALUES } from "../../masks/conventions/schema.ts";
import { mismatchesFrom } from "./match.ts";
import type { Measured } from "./measure.ts";
import { IMAGES, type ProbeCall } from "./plan.ts";

const COMPARISONS: readonly Convention["compare"][] = [
  "equal",
  ...Array.from({ length: IMAGES - 1 }, (_, i) => ({ last: i + 2 })), // the last 1 is equal
  "at-least",
  "everything",
];

const FIELDS = { compare: COMPARISONS, ...FIELD_VALUES };

type Fields = { -readonly [F in keyof typeof FIELDS]: Convention[F] };

/** The number of fields in which a combination differs from the paper's convention. */
const changes = (fields: Fields): number =>
  Object.keys(FIELDS).filter(
    (field) => fields[field as keyof Fields] !== paper.immediate[field as keyof Fields],
  ).length;

/** The paper's values come first, so that the first of several combinations with the same rows departs least from it. */
const every: readonly Fields[] = Object.entries(FIELDS)
  .reduce<Partial<Fields>[]>(
    (combinations, [field, values]) =>
      combinations.flatMap((fields) => values.map((value) => ({ ...fields, [field]: value }))),
    [{}],
  )
  .map((fields) => fields as Fields);

const UNNAMED = "this combination";

/** Whether a convention is a combination that --expect cannot name. */
export const isUnnamed = ({ name }: Convention): boolean => name === UNNAMED;

function conventionFrom(fields: Fields): Convention {
  const { compare } = fields;
  if (typeof compare === "object" && "last" in compare && changes(fields) === 1)
    return lastImages(compare.last);
  return { ...paper.immediate, ...fields, name: UNNAMED, note: "" };
}

/** The combination with these rows that differs least from the paper's convention; null if there is none. [probe.combinations] */
export function combinationOf(measured: Measured, call: ProbeCall): Convention | null {
  const fits = every.find(
    (fields) => mismatchesFrom({ ...paper.immediate, ...fields }, measured, call).length === 0, // [probe.combinations]
  );
  return fits ? conventionFrom(fits) : null;
}
