/** A map of bounded size that forgets what was not asked for longest. */
export interface BoundedMap<V> {
  get(name: string): V | undefined;
  set(name: string, value: V): void;
  clear(): void;
  readonly size: number;
}

/** @throws RangeError for a size below one. */
export function createBoundedMap<V>(sizeMax: number): BoundedMap<V> {
  if (!(sizeMax >= 1)) throw new RangeError('a bounded map holds at least one entry');
  // A Map keeps the order of insertion: the first is the one to forget, and a hit is inserted anew.
  const entries = new Map<string, V>();
  let newest = '';
  return Object.freeze({
    get(name: string) {
      const found = entries.get(name);
      // Most boxes of a burst name one key: the newest needs no new place.
      if (found === undefined || name === newest) return found;
      entries.delete(name);
      entries.set(name, found);
      newest = name;
      return found;
    },
    set(name: string, value: V) {
      entries.delete(name);
      entries.set(name, value);
      newest = name;
      if (entries.size <= sizeMax) return;
      for (const oldest of entries.keys()) {
        entries.delete(oldest);
        break;
      }
    },
    clear() {
      entries.clear();
      newest = '';
    },
    get size() {
      return entries.size;
    },
  });
}
