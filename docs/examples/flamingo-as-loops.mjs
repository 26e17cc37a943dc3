// Flamingo as flat loops over plain arrays, for one prompt: from the features of its images to the logits of its tokens.
//
// Read it from top to bottom; the guide docs/guides/11-flamingo-as-loops.md has the equations beside the code. A vector is an array
// of numbers, a matrix an array of rows. `w` holds the weights as nested arrays, by their names in the state dict of PyTorch.
// Nothing here is fast or general: no tensors, no batches, no derivatives, no imports. Sources:
//   Flamingo  arXiv 2204.14198v2      PaLM   arXiv 2204.02311v5      attention  arXiv 1706.03762v7     layer norm  arXiv 1607.06450v1
//   RoPE      arXiv 2104.09864v5      SwiGLU arXiv 2002.05202v1      GELU       arXiv 1606.08415v5
// and flamingo-pytorch 0.1.2 where a paper says nothing. The tests of chapters 10 to 13 and 50 compare the modules with these loops.

// #region flamingo
/**
 * Figure 3.        p(y_{l+1} | y_1 … y_l, images) = softmax(logits_l)
 * ids: the tokens of the prompt. images: for each image its features, a matrix; null for text alone. The result has a row for each token.
 */
export function flamingo(
  w,
  ids,
  images,
  { depth, heads, dimHead, every, perceiverDepth, mediaTokenId, rule },
) {
  const media = images && perceiverResampler(under(w, "perceiver_resampler"), images, perceiverDepth, heads);
  const visibility = media && visibilityOf(locations(ids, mediaTokenId), media[0].length, rule);

  let x = ids.map((id) => w["token_emb.weight"][id]);
  for (let i = 0; i < depth; i++) {
    x = plus(x, parallelBlock(under(w, `layers.${i}.0.fn`), x, heads, dimHead)); // the language model, frozen
    if (media && i % every === 0) x = gatedBlock(under(w, `layers.${i}.1`), x, media, heads, visibility); // new
  }
  return logits(w, x);
}
// #endregion

// ---- 1. Features become a few latents ------------------------------------------------------------------------------------------------

// #region frames
/** A video is one sequence of features: frame after frame, each with the position embedding of its frame        §2.1 */
export function videoFeatures(frames, positions) {
  const features = [];
  for (let f = 0; f < frames.length; f++)
    for (const feature of frames[f]) features.push(feature.map((value, d) => value + positions[f][d]));
  return features;
}
// #endregion

// #region resampler
/** x ← x + attention(q = x, kv = [X_f; x]);  x ← x + ffw(x)        Figure 5, for every image by itself */
export function perceiverResampler(w, images, depth, heads) {
  return images.map((features, m) => {
    const position = w.media_pos_emb[m][0]; // in the release only
    const placed = features.map((feature) => feature.map((value, d) => value + position[d]));
    let x = w.latents;
    for (let i = 0; i < depth; i++) {
      x = plus(x, perceiverAttention(under(w, `layers.${i}.0`), placed, x, heads));
      x = plus(x, feedForward(under(w, `layers.${i}.1`), x));
    }
    return x.map((latent) => norm(under(w, "norm"), latent)); // in the release only
  });
}
// #endregion

// #region perceiver-attention
/** q = LN(x) W_q;  [k; v] = [LN(X_f); LN(x)] W_kv;  softmax(q kᵀ/√d_k) v W_o        Figure 5: keys are the features and the latents */
export function perceiverAttention(w, features, latents, heads) {
  const x = latents.map((latent) => norm(under(w, "norm_latents"), latent));
  const xf = features.map((feature) => norm(under(w, "norm_media"), feature));
  const q = x.map((row) => linear(under(w, "to_q"), row));
  const kv = [...xf, ...x].map((row) => linear(under(w, "to_kv"), row));
  return attend(w, q, kv, heads, everything);
}
// #endregion

// ---- 2. Which token sees which image ---------------------------------------------------------------------------------------------------

// #region text-time
/** λ_l: whether token l stands for an image */
export const locations = (ids, mediaTokenId) => ids.map((id) => id === mediaTokenId);

/** φ(l) = Σ_{s ≤ l} λ_s        Figure 7: the number of images at or before token l */
export function textTime(located) {
  const phi = [];
  let count = 0;
  for (let l = 0; l < located.length; l++) {
    if (located[l]) count += 1;
    phi[l] = count;
  }
  return phi;
}
// #endregion

// #region visibility
/**
 * Token l attends to image i if φ(l) = i (A.1.3), or if φ(l) ≥ i (Table 10 (ii)); key j is a latent of image ⌊j / latents⌋ + 1.
 * What becomes of a row without an image is not in the paper: empty is "zero", "uniform" (the release) or "nan"; zeroBefore: text before
 * the first image is set to zero after the softmax (the release, in one of its modes).
 */
export function visibilityOf(located, latents, { lastOnly, empty, zeroBefore }) {
  const phi = textTime(located);
  const image = (j) => Math.floor(j / latents) + 1;
  return {
    allowed: (l, j) => (lastOnly ? phi[l] === image(j) : phi[l] >= image(j)),
    empty,
    zeroed: (l) => zeroBefore && phi[l] === 0,
  };
}
// #endregion

// ---- 3. The text attends to its image --------------------------------------------------------------------------------------------------

// #region cross-attention
/** q = LN(y) W_q;  [k; v] = x W_kv        Figure 4: keys are the latents of image 1, then of image 2, … */
export function maskedCrossAttention(w, y, media, heads, visibility = everything) {
  const q = y.map((token) => linear(under(w, "to_q"), norm(under(w, "norm"), token)));
  const kv = media.flat().map((latent) => linear(under(w, "to_kv"), latent));
  return attend(w, q, kv, heads, visibility);
}

/** Separates keys from values, attends, and joins the heads by W_o. */
function attend(w, q, kv, heads, visibility) {
  const inner = q.length > 0 ? q[0].length : 0;
  const k = kv.map((row) => row.slice(0, inner));
  const v = kv.map((row) => row.slice(inner));
  return attention(q, k, v, heads, heads, visibility).map((row) => linear(under(w, "to_out"), row));
}
// #endregion

// #region attention
/** Every key may be attended to; a row without any is NaN, as a softmax of no numbers is. */
export const everything = { allowed: () => true, empty: "nan", zeroed: () => false };

/**
 * a_lj = exp(q_l·k_j/√d_k) / Σ_j' exp(q_l·k_j'/√d_k), over the allowed keys only;  out_l = Σ_j a_lj v_j        arXiv 1706.03762v7, (1)
 * Heads are adjacent columns (§3.2.2); all may share one head of keys and values (PaLM §2). bias: added to a score (ALiBi); none in Flamingo.
 */
export function attention(q, k, v, heads, keyHeads, { allowed, empty, zeroed, bias = () => 0 }) {
  if (q.length === 0 || k.length === 0) return q.map(() => []);
  const [width, valueWidth] = [q[0].length / heads, v[0].length / keyHeads];
  const out = q.map(() => []);
  for (let h = 0; h < heads; h++) {
    const shared = keyHeads === 1 ? 0 : h;
    for (let l = 0; l < q.length; l++) {
      const weights = [];
      let [total, seen] = [0, 0];
      for (let j = 0; j < k.length; j++) {
        let score = 0;
        for (let c = 0; c < width; c++) score += q[l][h * width + c] * k[j][shared * width + c];
        weights[j] = allowed(l, j) ? Math.exp(score / Math.sqrt(width) + bias(l, j)) : 0;
        total += weights[j];
        if (allowed(l, j)) seen += 1;
      }
      for (let j = 0; j < k.length; j++) {
        if (seen > 0) weights[j] /= total;
        else weights[j] = { zero: 0, uniform: 1 / k.length, nan: Number.NaN }[empty];
        if (zeroed(l)) weights[j] = 0;
      }
      for (let c = 0; c < valueWidth; c++) {
        let value = 0;
        for (let j = 0; j < k.length; j++) value += weights[j] * v[j][shared * valueWidth + c];
        out[l].push(value); // head after head
      }
    }
  }
  return out;
}
// #endregion

// ---- 4. Gates ----------------------------------------------------------------------------------------------------------------------------

// #region gated-block
/** y ← y + tanh(α_xattn) attention(q = y, kv = x);  y ← y + tanh(α_dense) ffw(y)        Figure 4. fed: the tokens whose ffw runs, all in the paper */
export function gatedBlock(w, y, media, heads, visibility = everything, fed = () => true) {
  const attentionGate = Math.tanh(w.attn_gate[0]);
  const feedForwardGate = Math.tanh(w.ff_gate[0]);

  const attended = maskedCrossAttention(under(w, "attn"), y, media, heads, visibility);
  const z = y.map((token, l) => token.map((value, d) => value + attentionGate * attended[l][d]));

  const ff = feedForward(under(w, "ff"), z);
  return z.map((token, l) => token.map((value, d) => (fed(l) ? value + feedForwardGate * ff[l][d] : value)));
}
// #endregion

// ---- 5. The block of the language model --------------------------------------------------------------------------------------------------

// #region parallel-block
/** Attention(LN(x)) + MLP(LN(x)), to which the caller adds x        PaLM §2: causal, rotary positions, one head of keys and values */
export function parallelBlock(w, x, heads, dimHead) {
  const theta = w["rotary_emb.inv_freq"];
  const [q, k, v, ff] = [[], [], [], []];
  for (let l = 0; l < x.length; l++) {
    const normed = layerNorm(w["norm.gamma"], w["norm.beta"], x[l]);
    const fused = linear(under(w, "fused_attn_ff_proj"), normed); // queries of all heads, a key, a value, the feed-forward
    q[l] = [];
    for (let h = 0; h < heads; h++)
      q[l].push(...rotate(fused.slice(h * dimHead, (h + 1) * dimHead), l, theta));
    k[l] = rotate(fused.slice(heads * dimHead, (heads + 1) * dimHead), l, theta);
    v[l] = fused.slice((heads + 1) * dimHead, (heads + 2) * dimHead);
    ff[l] = linear(under(w, "ff_out.1"), swiglu(fused.slice((heads + 2) * dimHead)));
  }
  const causal = { ...everything, allowed: (l, s) => s <= l };
  const out = attention(q, k, v, heads, 1, causal).map((row) => linear(under(w, "attn_out"), row));
  return plus(out, ff);
}

/** The pair (x_i, x_{i + d/2}) is rotated by the angle l θ_i        RoPE §3.2.2 (15), where pairs are adjacent */
export function rotate(x, l, theta) {
  const half = x.length / 2;
  const y = [];
  for (let i = 0; i < half; i++) {
    const [cos, sin] = [Math.cos(l * theta[i]), Math.sin(l * theta[i])];
    y[i] = x[i] * cos - x[i + half] * sin;
    y[i + half] = x[i] * sin + x[i + half] * cos;
  }
  return y;
}

/** silu(gate) ⊙ value        SwiGLU §2 (6): the first half is the value, the second the gate */
export function swiglu(x) {
  const y = [];
  for (let i = 0; i < x.length / 2; i++) y[i] = silu(x[x.length / 2 + i]) * x[i];
  return y;
}
// #endregion

// #region logits
/** logits = LN(y) Eᵀ        PaLM §2, "Shared Input-Output Embeddings": E is the embedding table */
function logits(w, y) {
  const table = { weight: w["token_emb.weight"] };
  return y.map((token) => linear(table, layerNorm(w["to_logits.0.gamma"], w["to_logits.0.beta"], token)));
}
// #endregion

// ---- 6. The formulas that all of these use -------------------------------------------------------------------------------------------------

// #region formulas
/** y_o = Σ_i W_oi x_i + b_o */
export function linear({ weight, bias }, x) {
  const y = [];
  for (let o = 0; o < weight.length; o++) {
    y[o] = 0;
    for (let i = 0; i < x.length; i++) y[o] += weight[o][i] * x[i];
    if (bias) y[o] += bias[o];
  }
  return y;
}

/** γ ⊙ (x − μ)/√(σ² + ε) + β        (3) and (4) there; ε = 1e-5 unless given, as in PyTorch */
export function layerNorm(gamma, beta, x, epsilon = 1e-5) {
  let [mean, variance] = [0, 0];
  for (let i = 0; i < x.length; i++) mean += x[i] / x.length;
  for (let i = 0; i < x.length; i++) variance += (x[i] - mean) ** 2 / x.length;
  return x.map((value, i) => (gamma[i] * (value - mean)) / Math.sqrt(variance + epsilon) + beta[i]);
}
export const norm = ({ weight, bias }, x) => layerNorm(weight, bias, x);

/** W₂ gelu(W₁ LN(x)), without biases        A.1.4 */
export const feedForward = (w, x) =>
  x.map((row) => linear(under(w, "3"), linear(under(w, "1"), norm(under(w, "0"), row)).map(gelu)));

/** x Φ(x), with the normal distribution Φ        GELU §2 */
export const gelu = (x) => (x / 2) * (1 + erf(x / Math.SQRT2));
/** x σ(x)        SwiGLU §2: Swish with β = 1 */
export const silu = (x) => x / (1 + Math.exp(-x));

/** Abramowitz and Stegun, Handbook of Mathematical Functions: 7.1.5 (Taylor) for small x, 7.1.14 (continued fraction) for large. */
function erf(x) {
  const [size, sign] = [Math.abs(x), Math.sign(x)];
  if (size < 1.5) {
    let [total, power] = [0, x];
    for (let n = 0; n < 40; n++) {
      total += power / (2 * n + 1);
      power *= (-x * x) / (n + 1);
    }
    return (2 / Math.sqrt(Math.PI)) * total;
  }
  let tail = size;
  for (let n = 100; n > 0; n--) tail = size + n / 2 / tail;
  return sign * (1 - Math.exp(-size * size) / Math.sqrt(Math.PI) / tail);
}

/** x + y, element by element */
export const plus = (x, y) => x.map((row, i) => row.map((value, j) => value + y[i][j]));

/** The weights of one part, without its prefix: under(w, "attn") has "to_q.weight" for "attn.to_q.weight". */
export function under(w, part) {
  const inside = {};
  for (const [name, value] of Object.entries(w))
    if (name.startsWith(`${part}.`)) inside[name.slice(part.length + 1)] = value;
  return inside;
}
// #endregion
