// Random weights of models of full size: the values of one pool of a million, so that billions of them take seconds.

/** Pseudorandom numbers between 0 and 1 (Park and Miller, 1988). */
function numbers(seed) {
  let state = seed;
  return () => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647;
  };
}

/** A pool of values from a normal distribution with deviation 1, from which all weights are taken. */
export function pool() {
  const next = numbers(1);
  return Float32Array.from(
    { length: 2 ** 20 + 3 },
    () => Math.sqrt(-2 * Math.log(next())) * Math.cos(2 * Math.PI * next()),
  );
}

/** `mean + deviation * value` for the values of the pool, in float32 or as the bits of bfloat16. */
function scaled(values, deviation, mean, dtype) {
  const floats = values.map((x) => mean + deviation * x);
  if (dtype === "float32") return floats;
  const words = new Uint32Array(floats.buffer);
  return Uint16Array.from(words, (word) => (word + 0x8000) >>> 16);
}

const pools = new Map();

/** A source of values with a deviation and a mean, begun at a place of the pool that depends on the name. */
export function drawn(name, values, deviation, mean, dtype = "bfloat16") {
  const key = `${deviation} ${mean} ${dtype}`;
  const all = pools.get(key) ?? scaled(values, deviation, mean, dtype);
  pools.set(key, all);
  let at = 0;
  for (const letter of name) at = (at * 31 + letter.charCodeAt(0)) % all.length;
  return {
    dtype,
    read(from, to) {
      const out = new all.constructor(to - from);
      for (let i = 0; i < out.length; ) {
        const begin = (at + from + i) % all.length;
        const n = Math.min(out.length - i, all.length - begin);
        out.set(all.subarray(begin, begin + n), i);
        i += n;
      }
      return out;
    },
  };
}
