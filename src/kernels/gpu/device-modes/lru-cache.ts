/** A map in the order in which its entries were last asked for, those of longest ago first. */
export class LruCache<K, V> extends Map<K, V> {
  override get(key: K): V | undefined {
    const known = super.get(key);
    if (known !== undefined && this.delete(key)) this.set(key, known);
    return known;
  }
}
