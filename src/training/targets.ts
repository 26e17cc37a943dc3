// Next-token targets for interleaved text and images.
import { Int } from "../tensor/tensor.ts";
import { IGNORED } from "./losses.ts";

export interface TargetOptions {
  readonly mediaTokenId?: number | undefined;
  /** The token that pads shorter rows of a batch. */
  readonly padTokenId?: number | null | undefined;
  /** "ignore": text before the first image of a row has no targets. Default "count". */
  readonly beforeFirstImage?: "count" | "ignore" | undefined;
}

/** The target of each position is the next token, or IGNORED at the last position and before image and padding tokens. */
export function nextTokens(
  text: Int<"b l">,
  { mediaTokenId = 3, padTokenId = null, beforeFirstImage = "count" }: TargetOptions = {},
): Int<"b l"> {
  const [b = 0, l = 0] = text.shape;
  const ids = text.flat();
  const targets = new Int32Array(ids.length).fill(IGNORED);
  for (let row = 0; row < b; row++) {
    let afterImage = false;
    for (let i = 0; i < l - 1; i++) {
      const at = row * l + i;
      const next = ids[at + 1] ?? IGNORED; // [targets.next]
      afterImage ||= ids[at] === mediaTokenId;
      if (next === mediaTokenId || next === padTokenId) continue; // [targets.image]
      if (beforeFirstImage === "ignore" && !afterImage) continue; // [targets.before-first-image]
      targets[at] = next;
    }
  }
  return new Int(text.shape, targets);
}
