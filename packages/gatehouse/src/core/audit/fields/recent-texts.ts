/** The last texts by what they were made from, in bounded memory. */
export interface RecentTexts {
  get(name: string): string | undefined;
  set(name: string, text: string): void;
  clear(): void;
}

/**
 * Two generations rather than an order of use: finding one costs a single look into a Map, on the path of
 * every call. What was used within the last `sizeMax` new texts is always found; at most twice as many are held.
 */
export function createRecentTexts(sizeMax: number): RecentTexts {
  let young = new Map<string, string>();
  let old = new Map<string, string>();
  const set = (name: string, text: string): void => {
    if (young.size >= sizeMax) {
      old = young;
      young = new Map();
    }
    young.set(name, text);
  };
  return {
    set,
    get(name) {
      const found = young.get(name);
      if (found !== undefined) return found;
      const older = old.get(name);
      if (older !== undefined) set(name, older);
      return older;
    },
    clear() {
      young.clear();
      old.clear();
    },
  };
}
