import assert from 'node:assert/strict';
import { test } from 'node:test';
import { percentile, spreadOf } from './statistics.ts';

test('the median of an even number of readings lies between the two in the middle', () => {
  assert.deepEqual(spreadOf([4, 1, 3, 2]), { median: 2.5, min: 1, max: 4, readings: 4 });
});

test('a percentile between two readings is interpolated', () => {
  assert.equal(percentile([0, 10], 0.25), 2.5);
});

test('no readings are an error, not a zero', () => {
  assert.throws(() => spreadOf([]), /no readings/);
});
