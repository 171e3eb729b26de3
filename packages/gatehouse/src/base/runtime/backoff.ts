/** Exponential delays with full jitter, in milliseconds. */
export interface Backoff {
  next(): number;
  reset(): void;
}

export function createBackoff(firstMs: number, mostMs: number, random: () => number = Math.random): Backoff {
  let attempt = 0;
  return {
    next() {
      const ceiling = Math.min(mostMs, firstMs * 2 ** attempt);
      attempt += 1;
      return ceiling / 2 + (random() * ceiling) / 2;
    },
    reset() {
      attempt = 0;
    },
  };
}
