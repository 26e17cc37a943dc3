// Why a row is as it is, and why it sees an image or does not, in one sentence a person can check by counting.

import type { Convention } from "./conventions/schema.ts";
import { TOKEN } from "./numbering.ts";
import { leaks, type RowFacts } from "./outcome.ts";

const endings = {
  zeroed: "its row is set to zero",
  silent: "its row is silenced after the softmax",
  identity: "the layer leaves its row as it is",
  "uniform-leak": "every image leaks in, evenly",
  "unmasked-leak": "every image leaks in, as if there were no mask",
  nan: "its row becomes NaN",
} as const;

/**
 * `kinds` are the tokens of the row's prompt (1 an image). With an image's number the sentence is about that image
 * alone. [mask.reason]
 */
export function explain(
  row: RowFacts,
  kinds: readonly number[],
  convention: Convention,
  image?: number,
): string {
  if (image !== undefined && row.outcome === "attends") return ofImage(row, kinds, convention, image);
  const { position, number, images, mayAttend } = row;
  const subject = `position ${position}`;
  if (row.outcome === "attends") {
    return `${subject} sees ${counted("image", images)}: ${whySeen(row, kinds, convention, images)}`; // [mask.reason]
  }
  if (mayAttend.length === 0) return `${subject} sees nothing: there is no image`;

  const silenced = row.outcome === "zeroed" && convention.emptyRow !== "zero";
  const ending = endings[silenced ? "silent" : row.outcome];
  const listed = typeof convention.compare === "object" && "explicit" in convention.compare;
  if (number > 0 && !listed)
    return `${subject} asks for image ${number}, but ${only(mayAttend.length)}: ${ending}`;
  const why = whyNothing(position, kinds, convention);
  return leaks(row.outcome)
    ? `${subject} should see nothing: ${why}; yet ${ending}`
    : `${subject} sees nothing: ${why}; ${ending}`;
}

const imagesAt = (kinds: readonly number[]): number[] =>
  kinds.flatMap((kind, position) => (kind === TOKEN.image ? [position] : []));

/** Where the end token stands that cuts a position off, or -1. */
function cutAt(position: number, kinds: readonly number[], { endTokens }: Convention): number {
  if (endTokens === "ignored") return -1;
  const before = kinds.slice(0, position);
  const end = before.lastIndexOf(TOKEN.end);
  const since = kinds.slice(end, position + 1);
  return since.includes(TOKEN.image) ? -1 : before.indexOf(TOKEN.end, before.lastIndexOf(TOKEN.image) + 1);
}

function whyNothing(position: number, kinds: readonly number[], convention: Convention): string {
  const { compare, numbering } = convention;
  if (typeof compare === "object" && "explicit" in compare)
    return "the list for this position names no image";
  const cut = cutAt(position, kinds, convention);
  if (cut >= 0 && kinds.slice(0, cut).includes(TOKEN.image))
    return `the end token at position ${cut} cuts it off`;
  return `no image comes ${numbering === "next" ? "after" : "before"} it`;
}

const places = { inclusive: "at or before", exclusive: "before", next: "up to the one after" } as const;

function whySeen(
  row: RowFacts,
  kinds: readonly number[],
  convention: Convention,
  images: readonly number[],
): string {
  const { compare, numbering, neighbours } = convention;
  const { number, mayAttend } = row;
  if (compare === "everything") return "nothing is masked";
  if (typeof compare === "object" && "explicit" in compare) return "the list for this position says so";
  const place = places[numbering];
  if (number > mayAttend.length) {
    const noun = mayAttend.length === 1 ? "image" : "images";
    return `${number} image tokens stand ${place} it, but ${only(mayAttend.length)} ${noun}`;
  }
  const at = imagesAt(kinds);
  const positions = images.map((image) => at[image - 1] ?? 0);
  if (images.length === 1 && positions[0] === row.position) return "it is that image's own token";
  if (images.length > 3) return `they stand ${place} it (the last at position ${positions.at(-1)})`;
  const where = counted("position", positions);
  const together = neighbours === "together" && compare === "equal" ? " side by side" : "";
  if (images.length > 1) return `they stand${together} ${place} it (${where})`;
  if (numbering === "next") return `it is the next image after it (${where})`;
  if (images[0] !== number) return `it stands ${place} it (${where})`;
  return `it is the ${compare === "at-least" && row.images.length === 1 ? "only" : "last"} image ${place} it (${where})`;
}

/** About one image, in a row that attends. */
function ofImage(row: RowFacts, kinds: readonly number[], convention: Convention, image: number): string {
  const subject = `position ${row.position}`;
  if (row.images.includes(image)) {
    return `${subject} sees image ${image}: ${whySeen(row, kinds, convention, [image])}`; // [mask.reason]
  }
  return `${subject} does not see image ${image}: ${whyUnseen(row, kinds, convention, image)}`; // [mask.reason]
}

function whyUnseen(row: RowFacts, kinds: readonly number[], convention: Convention, image: number): string {
  const { compare } = convention;
  if (image > row.mayAttend.length) return only(row.mayAttend.length);
  if (typeof compare === "object" && "explicit" in compare) return "the list for this position leaves it out";
  const at = imagesAt(kinds);
  const own = at[image - 1];
  const seen = row.images.at(-1) ?? 0;
  if (own === undefined) return "no token stands for it";
  if (own > row.position) return `it comes later (position ${own})`;
  if (image < seen) return `image ${seen} comes after it (position ${at[seen - 1]})`;
  return "an image's own token does not see it yet";
}

const only = (n: number): string => (n === 1 ? "there is only 1" : `there are only ${n}`);

/** image 1; images 1 and 2; images 1, 2 and 3; images 1 to 4 */
function counted(noun: string, numbers: readonly number[]): string {
  const first = numbers[0] ?? 0;
  const last = numbers.at(-1) ?? 0;
  if (numbers.length === 1) return `${noun} ${first}`;
  if (numbers.length > 3 && last - first === numbers.length - 1) return `${noun}s ${first} to ${last}`;
  return `${noun}s ${numbers.slice(0, -1).join(", ")} and ${last}`;
}
