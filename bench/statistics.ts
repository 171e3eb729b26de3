/** Readings of one figure of one subject, in one unit. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly readings: number;
}

/** @throws Error when there is no reading. */
export function spreadOf(readings: readonly number[]): Spread {
  const sorted = [...readings].sort((a, b) => a - b);
  return {
    median: percentile(sorted, 0.5),
    min: percentile(sorted, 0),
    max: percentile(sorted, 1),
    readings: sorted.length,
  };
}

/** @param sorted ascending. @param share 0 to 1; between two readings the value is interpolated. */
export function percentile(sorted: readonly number[], share: number): number {
  const place = share * (sorted.length - 1);
  const low = sorted[Math.floor(place)];
  const high = sorted[Math.ceil(place)];
  if (low === undefined || high === undefined) throw new Error('no readings');
  return low + (high - low) * (place - Math.floor(place));
}
