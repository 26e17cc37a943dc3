// A heap in the WebAssembly memory that all threads share. The memory never shrinks; freed blocks are reused.
import { LoadError } from "../../tensor/errors.ts";
import type { Floats } from "../../tensor/tensor.ts";
import type { Usage } from "../backend.ts";

const PAGE = 65536;
const MAX_PAGES = 65536;
/** Blocks are aligned to cache lines. */
const LINE = 64;
/** Bytes that stay unused at the end of the memory: a kernel may read up to three floats past the end of a row. */
const MARGIN = LINE;

interface Block {
  readonly at: number;
  readonly size: number;
}

/** The index of the first block at or after an address in a list sorted by address. */
function indexOf(blocks: readonly Block[], at: number): number {
  let [low, high] = [0, blocks.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((blocks[middle]?.at ?? 0) < at) low = middle + 1;
    else high = middle;
  }
  return low;
}

export class Heap {
  readonly memory: WebAssembly.Memory;
  readonly #buffers = new WeakSet<ArrayBufferLike>();
  readonly #free: Block[] = [];
  readonly #live: Block[] = [];
  /** Called when no free block is large enough; frees one that is not needed and returns true, or returns false. */
  makeRoom: () => boolean = () => false;
  #end: number;
  #used = 0;
  #peak = 0;

  /** Addresses below `from` are left for other uses. */
  constructor(from: number) {
    this.memory = new WebAssembly.Memory({ initial: 1, maximum: MAX_PAGES, shared: true });
    this.#end = from;
    this.#extend(PAGE - from - MARGIN);
  }

  usage(): Usage {
    return { used: this.#used, peak: this.#peak, reserved: this.#end + MARGIN };
  }

  allocate(bytes: number): number {
    const size = Math.max(Math.ceil(bytes / LINE), 1) * LINE;
    if (size > PAGE * MAX_PAGES) throw this.#full(size);
    let at = this.#take(size) ?? this.#grow(size);
    while (at === null) {
      if (!this.makeRoom()) throw this.#full(size);
      at = this.#take(size) ?? this.#grow(size);
    }
    this.#live.splice(indexOf(this.#live, at), 0, { at, size });
    this.#used += size;
    this.#peak = Math.max(this.#peak, this.#used);
    return at;
  }

  free(at: number): void {
    const index = indexOf(this.#live, at);
    const block = this.#live[index];
    if (block?.at !== at) return;
    this.#live.splice(index, 1);
    this.#used -= block.size;
    this.#release(block);
  }

  /** The address of the block that holds these numbers; null if they are outside the heap. */
  blockOf({ buffer, byteOffset }: Floats): number | null {
    if (!this.owns(buffer)) return null;
    const block = this.#live[indexOf(this.#live, byteOffset + 1) - 1];
    return block && byteOffset < block.at + block.size ? block.at : null;
  }

  /** The bytes of a block; 0 if there is none at this address. */
  sizeOf(at: number): number {
    const block = this.#live[indexOf(this.#live, at)];
    return block?.at === at ? block.size : 0;
  }

  owns(buffer: ArrayBufferLike): boolean {
    return this.#buffers.has(buffer);
  }

  floats(at: number, n: number): Float32Array {
    return new Float32Array(this.#buffer(), at, n);
  }

  shorts(at: number, n: number): Uint16Array {
    return new Uint16Array(this.#buffer(), at, n);
  }

  ints(at: number, n: number): Int32Array {
    return new Int32Array(this.#buffer(), at, n);
  }

  bytes(at: number, n: number): Uint8Array {
    return new Uint8Array(this.#buffer(), at, n);
  }

  /** Growing the memory creates a new buffer. Arrays on the old buffer remain valid views of the same memory, so all are remembered. */
  #buffer(): ArrayBufferLike {
    const { buffer } = this.memory;
    this.#buffers.add(buffer);
    return buffer;
  }

  /** The smallest free block that is large enough. */
  #take(size: number): number | null {
    let [best, least] = [-1, Infinity];
    for (let i = 0; i < this.#free.length && least > size; i++) {
      const free = this.#free[i]?.size ?? 0;
      if (free >= size && free < least) [best, least] = [i, free];
    }
    const block = this.#free[best];
    if (!block) return null;
    const rest = { at: block.at + size, size: block.size - size };
    this.#free.splice(best, 1, ...(rest.size > 0 ? [rest] : []));
    return block.at;
  }

  #full(size: number): LoadError {
    return new LoadError(
      `the simd backend holds ${gigabytes(this.#used)} and needs ${gigabytes(size)} more; its memory ends at 4 GiB, weights included. Use bfloat16 weights, a smaller batch or budget of weights, or the reference backend`,
    );
  }

  /** The address of a block at the end of the memory, which grows; null if it cannot grow as much. */
  #grow(size: number): number | null {
    const last = this.#free.at(-1);
    const open = last && last.at + last.size === this.#end ? last.size : 0;
    const pages = Math.ceil((size - open) / PAGE);
    const spare = Math.min(Math.ceil(this.#end / PAGE / 8), MAX_PAGES - Math.ceil(this.#end / PAGE) - pages);
    for (const more of [pages + Math.max(spare, 0), pages]) {
      try {
        this.memory.grow(more);
      } catch {
        continue;
      }
      this.#extend(more * PAGE);
      return this.#take(size);
    }
    return null;
  }

  #extend(size: number): void {
    this.#release({ at: this.#end, size });
    this.#end += size;
  }

  /** Returns a block to the free list, merged with adjacent free blocks. */
  #release({ at, size }: Block): void {
    const index = indexOf(this.#free, at);
    const [before, after] = [this.#free[index - 1], this.#free[index]];
    const joinsBefore = before !== undefined && before.at + before.size === at;
    const joinsAfter = after !== undefined && at + size === after.at;
    const from = joinsBefore ? before.at : at;
    const to = joinsAfter ? after.at + after.size : at + size;
    this.#free.splice(index - (joinsBefore ? 1 : 0), (joinsBefore ? 1 : 0) + (joinsAfter ? 1 : 0), {
      at: from,
      size: to - from,
    });
  }
}

export const gigabytes = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(2)} GiB`;
