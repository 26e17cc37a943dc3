// jax-js on its WebAssembly backend: a product, attention and a gated block, each compiled with jit. In Node it runs on one thread.

/** The package reads the browser's navigator, which Node 20 does not have. */
async function open() {
  globalThis.navigator ??= { userAgent: "Node.js", hardwareConcurrency: 1 };
  const jax = await import("@jax-js/jax");
  await jax.init("wasm");
  jax.defaultDevice("wasm");
  return jax;
}

/** Calls `f` on arrays that stay in the package's memory, and reads the result. Uses of an array are counted, so each one takes `ref`. */
function repeated(jax, f, arrays) {
  const compiled = jax.jit(f);
  return async () => compiled(...arrays.map((array) => array.ref)).data();
}

export async function product() {
  const jax = await open();
  const { numpy: np } = jax;
  return async (a, b, [m, k, n]) => {
    const arrays = [np.array(a).reshape([m, k]), np.array(b).reshape([k, n])];
    return repeated(jax, (x, y) => np.matmul(x, y), arrays);
  };
}

/** Attention of [heads, length, width], with queries that are scaled beforehand. nn.dotProductAttention is the same three steps, but needs the iterators of Node 22. */
const attend = ({ numpy: np, nn }, q, k, v, bias = null) => {
  const scores = np.matmul(q, k.transpose([0, 2, 1]));
  return np.matmul(nn.softmax(bias === null ? scores : scores.add(bias), -1), v);
};

export async function attention() {
  const jax = await open();
  return async (q, k, v, [h, l, s, d]) => {
    const array = (values, length) => jax.numpy.array(values).reshape([h, length, d]);
    return repeated(jax, (x, y, z) => attend(jax, x, y, z), [array(q, l), array(k, s), array(v, s)]);
  };
}

/** GatedCrossAttentionBlock of flamingo-pytorch 0.1.2 without the batch axis: text [l, d], media [s, d], bias [l, s]; matrices are [in, out]. */
function gatedBlock(jax, { heads, dimHead }, w, text, media, bias) {
  const { numpy: np, nn } = jax;
  const linear = (x, name) => np.matmul(x, w[`${name}.weight`]);
  const norm = (x, name) => {
    const centred = x.ref.sub(np.mean(x, -1, { keepdims: true }));
    const variance = np.mean(np.square(centred.ref), -1, { keepdims: true });
    const unit = centred.div(np.sqrt(variance.add(1e-5)));
    return unit.mul(w[`${name}.weight`]).add(w[`${name}.bias`]);
  };
  const [length, inner] = [text.shape[0], heads * dimHead];
  const split = (x) => x.reshape([x.shape[0], heads, dimHead]).transpose([1, 0, 2]);
  const q = split(linear(norm(text.ref, "attn.norm"), "attn.to_q").mul(dimHead ** -0.5));
  const [k, v] = np.split(linear(media, "attn.to_kv"), 2, -1);
  const attended = attend(jax, q, split(k), split(v), bias).transpose([1, 0, 2]).reshape([length, inner]);
  const x = linear(attended, "attn.to_out").mul(np.tanh(w.attn_gate)).add(text);
  const wide = nn.gelu(linear(norm(x.ref, "ff.0"), "ff.1"), { approximate: false });
  return linear(wide, "ff.3").mul(np.tanh(w.ff_gate)).add(x);
}

/** The values of a matrix by columns. */
function transposed({ shape: [rows, columns], values }) {
  const out = new Float32Array(values.length);
  for (let i = 0; i < values.length; i++) out[(i % columns) * rows + Math.floor(i / columns)] = values[i];
  return out;
}

/** Every input is { shape, values }; `weights` has those of the state dict, `bias` is 0 where a token attends and −10³⁰ elsewhere. */
export async function gated() {
  const jax = await open();
  return async ({ weights, text, media, bias, heads, dimHead }) => {
    const names = Object.keys(weights);
    const array = ({ shape, values }) => jax.numpy.array(values).reshape(shape);
    const weight = (one) =>
      one.shape.length === 2 ? jax.numpy.array(transposed(one)).reshape(one.shape.toReversed()) : array(one);
    const f = (x, y, z, ...parameters) => {
      const byName = Object.fromEntries(names.map((name, i) => [name, parameters[i]]));
      return gatedBlock(jax, { heads, dimHead }, byName, x, y, z);
    };
    const given = [text, media, bias].map(array);
    return repeated(jax, f, [...given, ...names.map((name) => weight(weights[name]))]);
  };
}
