// Why a row is as it is, in one sentence a person can check by counting.
import type { Convention } from "./convention.ts";
import type { RowFacts } from "./row-class.ts";

const endings = {
  zeroed: "its row is set to zero",
  silent: "its row is silenced after the softmax",
  "uniform-leak": "every image leaks in, evenly",
  nan: "its row becomes NaN",
} as const;

/** `located` says where the images of the row's prompt stand. [mask.reason] */
export function explain(row: RowFacts, located: readonly number[], convention: Convention): string {
  const { position, number, images, mayAttend } = row;
  const subject = `position ${position}`;
  if (row.class === "attends") {
    return `${subject} sees ${counted("image", images)}: ${whySeen(row, located, convention)}`; // [mask.reason]
  }
  if (mayAttend.length === 0) return `${subject} sees nothing: there is no image`;

  const ending = endings[row.class === "zeroed" && convention.emptyRow !== "zero" ? "silent" : row.class];
  if (number > 0) return `${subject} asks for image ${number}, but ${only(mayAttend.length)}: ${ending}`;
  if (row.class !== "uniform-leak") return `${subject} sees nothing: no image comes before it; ${ending}`;
  return `${subject} should see nothing: no image comes before it; yet ${ending}`;
}

function whySeen(row: RowFacts, located: readonly number[], { compare }: Convention): string {
  const { number, images, mayAttend } = row;
  if (number > mayAttend.length) {
    return `${number} image tokens stand at or before it, but ${only(mayAttend.length)} image`;
  }
  if (row.isImage && images.length === 1) return "it is that image's own token";
  const at = located.flatMap((isOne, position) => (isOne ? [position] : [])).slice(0, images.at(-1));
  if (images.length > 3) return `they stand at or before it (the last at position ${at.at(-1)})`;
  const positions = images.map((image) => at[image - 1] ?? 0);
  const where = counted("position", positions);
  if (images.length > 1) return `they stand at or before it (${where})`;
  return `it is the ${compare === "equal" ? "last" : "only"} image at or before it (${where})`;
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
