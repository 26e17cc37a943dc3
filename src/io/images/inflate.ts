// Decompression of zlib data (RFC 1950), or of bare deflate data (RFC 1951), to a known size, in Node and in browsers.

/** At most this many bytes come from one compressed byte: 258 from two bits (RFC 1951). */
const MOST_RATIO = 1032;

/**
 * The `size` bytes that the parts decompress to; "less" or "more" where there are fewer or more of them, "damaged" where the data
 * cannot be decompressed. Nothing beyond `size` is kept, and nothing of that size is made for data that cannot fill it.
 */
export async function inflated(
  parts: readonly Uint8Array[],
  size: number,
  format: "deflate" | "deflate-raw" = "deflate",
): Promise<Uint8Array | "less" | "more" | "damaged"> {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  if (size > MOST_RATIO * length) return length < 8 ? "damaged" : "less"; // [image.bounded]
  const compressed = new ReadableStream<Uint8Array<ArrayBuffer>>({
    start(controller) {
      for (const part of parts) controller.enqueue(part as Uint8Array<ArrayBuffer>);
      controller.close();
    },
  });
  const reader = compressed.pipeThrough(new DecompressionStream(format)).getReader();
  const data = new Uint8Array(size);
  let at = 0;
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      if (at + next.value.length > size) {
        await reader.cancel();
        return "more"; // [image.bounded]
      }
      data.set(next.value, at);
      at += next.value.length;
    }
  } catch {
    return "damaged";
  }
  return at < size ? "less" : data;
}
