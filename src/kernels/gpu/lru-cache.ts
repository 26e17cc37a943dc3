/** A map whose iteration order is from the least to the most recently used entry. */
export class LruCache<K, V> extends Map<K, V> {
  override get(key: K): V | undefined {
    const value = super.get(key);
    if (value !== undefined && this.delete(key)) this.set(key, value);
    return value;
  }
}
