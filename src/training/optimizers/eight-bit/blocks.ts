// Block-wise quantisation: Dettmers et al., arXiv 2110.02861, section 2.1. Each block is divided by its largest magnitude, and each
// quotient replaced by the index of a number of the map. Two quantisers of bitsandbytes 0.50.2 differ in how they find it.

/** See the members of `quantizers`. */
export type QuantizerName = "midpoints" | "table";

/** Values of a block, as far as they are filled, and their codes from `at` on. */
export interface Block {
  readonly values: Float32Array;
  readonly length: number;
  readonly codes: Uint8Array;
  readonly at: number;
  /** Whether it is the last block of a tensor and not full. */
  readonly partial: boolean;
}

/** Writes the codes of a block, and returns the scale to store with them. */
export type Quantizer = (block: Block) => number;

function absmax({ values, length }: Block): number {
  let largest = 0;
  for (let i = 0; i < length; i++) {
    const magnitude = Math.abs(values[i] ?? 0);
    if (magnitude > largest) largest = magnitude;
  }
  return largest;
}

const clamped = (x: number): number => (x > 1 ? 1 : x < -1 ? -1 : x);

/** The middles between neighbours, in float32. */
const middles = (map: Float32Array): Float32Array =>
  Float32Array.from({ length: map.length - 1 }, (_, i) =>
    Math.fround(Math.fround((map[i] ?? 0) + (map[i + 1] ?? 0)) / 2),
  );

/** How many of the bounds, which increase, are below x. */
function countBelow(bounds: Float32Array, x: number): number {
  let [low, high] = [0, bounds.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((bounds[middle] ?? 0) < x) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Numbers of float32 with the same upper 16 bits form a cell. */
const CELLS = 2 ** 16;

/** How many of the middles are below all numbers of each cell. */
function countsOfCells(bounds: Float32Array): Uint8Array {
  const bits = new Uint32Array(1);
  const value = new Float32Array(bits.buffer);
  return Uint8Array.from({ length: CELLS }, (_, cell) => {
    bits[0] = cell < CELLS / 2 ? cell << 16 : (cell << 16) | 0xffff; // the smallest number of the cell
    return countBelow(bounds, value[0] ?? 0);
  });
}

/** What the largest magnitude is raised to before values are divided by it. */
const LEAST = Math.fround(1e-38);

/**
 * The nearest number of the map; a quotient in the middle of two goes to the lower one. These are the operators in PyTorch that
 * bitsandbytes uses where it has no library for the processor: full blocks are multiplied by the reciprocal, and a partial one is
 * divided and stores the raised magnitude. [adamw8bit.nearest] [adamw8bit.partial]
 */
function byMidpoints(map: Float32Array): Quantizer {
  const bounds = middles(map);
  const counts = countsOfCells(bounds);
  const value = new Float32Array(1);
  const bits = new Uint32Array(value.buffer);
  return (block) => {
    const { values, length, codes, at, partial } = block;
    const largest = absmax(block);
    const raised = Math.max(largest, LEAST);
    const inverse = Math.fround(1 / raised);
    for (let i = 0; i < length; i++) {
      const x = values[i] ?? 0;
      const quotient = clamped(Math.fround(partial ? x / raised : x * inverse));
      value[0] = quotient;
      let code = counts[(bits[0] ?? 0) >>> 16] ?? 0;
      while ((bounds[code] ?? 1) < quotient) code++;
      codes[at + i] = code;
    }
    return partial ? raised : largest;
  };
}

const ENTRIES = 2 ** 16;

/** The index of the number of the map that is nearest to each of 65,536 numbers at equal distances from −1 to 1. */
function nearestOfEntries(map: Float32Array): Uint8Array {
  const bounds = middles(map);
  return Uint8Array.from({ length: ENTRIES }, (_, entry) => {
    const center = Math.fround(Math.fround((2 * entry) / (ENTRIES - 1)) - 1);
    return countBelow(bounds, center);
  });
}

/**
 * The number of the map that is nearest to the quotient rounded to one of 65,536 numbers at equal distances, of which none is 0. This is
 * the library for x86-64 processors in the wheels of bitsandbytes 0.50.2: a value of 0 in a block of others does not stay 0. [adamw8bit.table]
 */
function byTable(map: Float32Array): Quantizer {
  const table = nearestOfEntries(map);
  return (block) => {
    const { values, length, codes, at } = block;
    const largest = absmax(block);
    if (largest === 0)
      codes.fill(0, at, at + length); // [adamw8bit.table]
    else {
      const inverse = Math.fround(1 / largest);
      for (let i = 0; i < length; i++) {
        const quotient = clamped(Math.fround((values[i] ?? 0) * inverse));
        // Exact in float64, so that it is rounded once, as a fused multiply-add is. 0 · ∞ is NaN, and has the index 0.
        const entry = Math.fround(Math.fround(quotient + 1) * 0.5 * (ENTRIES - 1) + 0.5);
        codes[at + i] = table[entry | 0] ?? 0;
      }
    }
    return largest;
  };
}

export const quantizers: Readonly<Record<QuantizerName, (map: Float32Array) => Quantizer>> = {
  midpoints: byMidpoints,
  table: byTable,
};
