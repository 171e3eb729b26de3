import assert from 'node:assert/strict';
import { test } from 'node:test';
import { medians, rises, trendOf } from './trend.ts';

const series = (value: (at: number) => number) =>
  Array.from({ length: 50 }, (_, at) => ({ at, value: value(at) }));
/** The same numbers in every run. */
const noise = (at: number): number => ((at * 7919) % 31) / 31 - 0.5;

test('a leak shows, noise and a fall do not', () => {
  assert.equal(rises(trendOf(series((at) => 100 + at + 10 * noise(at))), 0.25), true);
  assert.equal(rises(trendOf(series((at) => 100 + 40 * noise(at))), 0.25), false);
  assert.equal(rises(trendOf(series((at) => 100 - at)), 0.25), false);
  assert.equal(rises(trendOf(series(() => 100)), 0.25), false);
});

test('growth is the rise of the line from end to end as a part of the mean', () => {
  const { growth, mean, count } = trendOf(series((at) => 100 + at));
  assert.equal(count, 50);
  assert.ok(Math.abs(growth - 49 / mean) < 1e-9);
});

test('the median of a window does not hear of one outlier', () => {
  const samples = series((at) => (at === 12 ? 10_000 : 5));
  assert.deepEqual(new Set(medians(samples, 10).map(({ value }) => value)), new Set([5]));
});

test('too few samples are no series', () => {
  assert.throws(() => trendOf(series(() => 1).slice(0, 4)), RangeError);
});
