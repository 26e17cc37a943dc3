// Names of the axes of expected tensors, in the source's letters.
import type { CaseManifest } from "../../io/golden/manifest.ts";
import type { Shape } from "../../tensor/tensor.ts";

/** By class, for outputs whose axes are not those of an input. */
const OUTPUTS: Readonly<Record<string, string>> = {
  PerceiverAttention: "b m r d",
  PerceiverResampler: "b m r d",
  MaskedCrossAttention: "b l d",
  GatedCrossAttentionBlock: "b l d",
  RotaryEmbedding: "l d",
  FlamingoPaLM: "b l vocabulary",
  ViT: "b class",
  Extractor: "b n d",
};

const ATTENTION: Readonly<Record<number, string>> = { 4: "b head", 5: "b head m" };

/** Scores and weights of an attention end in "query key", its output before the heads are joined in "query d". */
function attentionAxes(tap: string, rank: number): string | null {
  const name = tap.replace(/@\d+$/, "").split(".").at(-1);
  const lead = ATTENTION[rank];
  if (lead === undefined) return null;
  if (name === "out") return `${lead} query d`;
  return name === "scores" || name === "masked" || name === "attn" ? `${lead} query key` : null;
}

/** The axes of an input that has all but the last in common, as the activations of most modules have. */
const likeInput = ({ inputs }: CaseManifest, shape: Shape): string | null =>
  [...inputs.values()].find(
    (input) => input.axes && input.shape.slice(0, -1).join(" ") === shape.slice(0, -1).join(" "),
  )?.axes ?? null;

function lettersOf(manifest: CaseManifest, name: string, shape: Shape): string | null {
  const { inputs, source, outputs } = manifest;
  const rank = shape.length;
  const [part, ...rest] = name.split(".");
  const path = rest.join(".");
  if (part === "taps") return attentionAxes(path, rank) ?? likeInput(manifest, shape);
  if (name.startsWith("grads.inputs.")) return inputs.get(path.replace("inputs.", ""))?.axes ?? null;
  if (name.startsWith("grads.weights.")) return rank === 2 ? "out in" : null;
  if (path !== outputs[0]) return null;
  const own = Object.hasOwn(OUTPUTS, source.class) ? OUTPUTS[source.class] : undefined;
  return own ?? [...inputs.values()].find(({ axes }) => axes)?.axes ?? null;
}

/** The names of a tensor's axes; null where they are not known. */
export function axesOf(manifest: CaseManifest, name: string, shape: Shape): readonly string[] | null {
  const letters = lettersOf(manifest, name, shape)?.split(" ").filter(Boolean) ?? [];
  return letters.length === shape.length && letters.length > 0 ? letters : null;
}
