import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rowsOf } from './goals.ts';
import { createReadings } from './readings.ts';

test('a ratio is of medians, and its row names both', () => {
  const readings = createReadings();
  for (const value of [100, 200, 900]) readings.add('CPU per call, concurrency 1', 'µs', 'gateway', value);
  readings.add('CPU per call, concurrency 1', 'µs', 'nginx', 100);
  assert.deepEqual(rowsOf(readings), [
    {
      figure: 'CPU per call, concurrency 1',
      unit: 'ratio',
      value: 2,
      goal: 3,
      better: 'lower',
      against: 'nginx',
      ours: 200,
      theirs: 100,
    },
  ]);
});

test('added latency is what is left when direct is subtracted from both', () => {
  const readings = createReadings();
  for (const [subject, value] of [
    ['direct', 0.2],
    ['nginx', 0.4],
    ['gateway', 0.5],
  ] as const) {
    readings.add('p50, concurrency 1', 'ms', subject, value);
  }
  assert.equal(rowsOf(readings)[0]?.value, 1.5);
});

test('extra CPU is in percent of the direct way', () => {
  const readings = createReadings();
  readings.add('CPU of the whole system per Workflow', 'ms', 'direct', 50);
  readings.add('CPU of the whole system per Workflow', 'ms', 'gateway', 55);
  const [row] = rowsOf(readings);
  assert.deepEqual([row?.value, row?.unit], [10, '%']);
});

test('a figure without a reading of the gateway has no row', () => {
  const readings = createReadings();
  readings.add('CPU per call, concurrency 1', 'µs', 'nginx', 100);
  assert.deepEqual(rowsOf(readings), []);
});
