// The largest of many numbers.

/** The indices of the k largest numbers in descending order of the numbers; equal ones in ascending order of the indices. */
export function largest(values: Float64Array, k: number): number[] {
  const top = new Float64Array(k);
  const at = new Uint32Array(k);
  let count = 0;
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    if (count === k && !(value > (top[k - 1] ?? 0))) continue;
    let low = 0;
    for (let high = count; low < high; ) {
      const middle = (low + high) >> 1;
      if ((top[middle] as number) >= value)
        low = middle + 1; // [generate.ties]
      else high = middle;
    }
    top.copyWithin(low + 1, low, count);
    at.copyWithin(low + 1, low, count);
    top[low] = value;
    at[low] = i;
    count = Math.min(count + 1, k);
  }
  return [...at.subarray(0, count)];
}
