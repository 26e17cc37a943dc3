// Which images, and which latents of them, the words of an answer attended to.

/** Attention behind one generated token: that of the position before it, from whose logits it was chosen. */
export interface WordAttention {
  /** The mean over the layers of the attention to each image. They sum to 1, or to 0 where no image may be seen. */
  readonly images: readonly number[];
  /** The latent with the largest mean; null where no image is seen. */
  readonly strongest: { readonly image: number; readonly latent: number; readonly share: number } | null;
  /** [layer][image] */
  readonly layers: readonly (readonly number[])[];
}

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

function strongestOf(mean: readonly (readonly number[])[]): WordAttention["strongest"] {
  let best: WordAttention["strongest"] = null;
  for (const [image, latents] of mean.entries())
    for (const [latent, share] of latents.entries())
      if (share > (best?.share ?? 0)) best = { image, latent, share };
  return best;
}

/** The attention behind each token from `prompt` on, given [layer][token][image][latent]. */
export function attentionOf(
  layers: readonly (readonly (readonly (readonly number[])[])[])[],
  prompt: number,
): WordAttention[] {
  const count = layers[0]?.length ?? 0;
  return Array.from({ length: Math.max(0, count - prompt) }, (_, i) => {
    const rows = layers.map((tokens) => tokens[prompt + i - 1] ?? []);
    const mean = (rows[0] ?? []).map((latents, image) =>
      latents.map((_, latent) => sum(rows.map((row) => row[image]?.[latent] ?? 0)) / rows.length),
    );
    return {
      images: mean.map(sum),
      strongest: strongestOf(mean),
      layers: rows.map((row) => row.map(sum)),
    };
  });
}
