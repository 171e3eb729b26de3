/** What was made last, a text above all, by what it was made from, in bounded memory. */
export interface RecentTexts<Made = string> {
  get(name: string): Made | undefined;
  set(name: string, made: Made): void;
}

/**
 * Two generations rather than an order of use: finding one costs a single look into a Map, on the path of
 * every call. What was used within the last `sizeMax` new texts is always found; at most twice as many are held.
 */
export function createRecentTexts<Made = string>(sizeMax: number): RecentTexts<Made> {
  let young = new Map<string, Made>();
  let old = new Map<string, Made>();
  const set = (name: string, made: Made): void => {
    if (young.size >= sizeMax) {
      old = young;
      young = new Map();
    }
    young.set(name, made);
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
  };
}
