/** A measured value and when it was taken, in any unit. */
export interface Sample {
  readonly at: number;
  readonly value: number;
}

export interface Trend {
  /** By how much the fitted line rises from the first sample to the last, as a part of the mean. */
  readonly growth: number;
  /** The slope in units of its standard error: below 3 it may well be noise. */
  readonly certainty: number;
  readonly mean: number;
  readonly count: number;
}

/** The straight line of least squares through these samples. @throws RangeError for fewer than 5 samples. */
export function trendOf(samples: readonly Sample[]): Trend {
  const count = samples.length;
  if (count < 5) throw new RangeError(`${count} samples are no series`);
  const meanAt = average(samples.map(({ at }) => at));
  const mean = average(samples.map(({ value }) => value));
  let [squares, products] = [0, 0];
  for (const { at, value } of samples) {
    squares += (at - meanAt) ** 2;
    products += (at - meanAt) * (value - mean);
  }
  if (squares === 0) throw new RangeError('all samples are of one moment');
  const slope = products / squares;
  const residual = samples.reduce(
    (sum, { at, value }) => sum + (value - mean - slope * (at - meanAt)) ** 2,
    0,
  );
  const error = Math.sqrt(residual / (count - 2) / squares);
  const times = samples.map(({ at }) => at);
  const span = Math.max(...times) - Math.min(...times);
  const certainty = slope === 0 ? 0 : slope / error;
  return { growth: mean === 0 ? 0 : (slope * span) / mean, certainty, mean, count };
}

/** Whether a value rises by more than this part of its mean, and not by chance. */
export function rises({ growth, certainty }: Trend, growthMax: number): boolean {
  return growth > growthMax && certainty > 3;
}

/** The medians of windows of this width: single outliers of a shared machine do not count. */
export function medians(samples: readonly Sample[], width: number): readonly Sample[] {
  const windows = new Map<number, number[]>();
  for (const { at, value } of samples) {
    const key = Math.floor(at / width);
    const values = windows.get(key);
    if (values === undefined) windows.set(key, [value]);
    else values.push(value);
  }
  return [...windows].map(([key, values]) => {
    values.sort((left, right) => left - right);
    return { at: (key + 0.5) * width, value: values[Math.floor(values.length / 2)] ?? 0 };
  });
}

function average(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
