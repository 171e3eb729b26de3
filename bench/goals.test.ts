import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GOALS } from './goal-table.ts';
import { judge, type Row } from './goals.ts';
import { createReadings, type Readings } from './readings.ts';

function rowsOf(readings: Readings): Row[] {
  return judge(readings).map(({ row }) => row);
}

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
  const [row] = rowsOf(readings);
  assert.deepEqual([row?.value, row?.ours, row?.theirs], [1.5, 0.3, 0.2]);
});

test('extra CPU is in percent of the direct way', () => {
  const readings = createReadings();
  readings.add('CPU of the whole system per Workflow, SQLite', 'ms', 'direct', 50);
  readings.add('CPU of the whole system per Workflow, SQLite', 'ms', 'gateway', 55);
  const [row] = rowsOf(readings);
  assert.deepEqual([row?.value, row?.unit], [10, '%']);
});

test('the share of the record is in percent of the call that is recorded', () => {
  const readings = createReadings();
  readings.add('CPU per call by record, concurrency 32', 'µs', 'gateway, no record', 95);
  readings.add('CPU per call by record, concurrency 32', 'µs', 'gateway', 100);
  const [row] = rowsOf(readings);
  assert.deepEqual([row?.value, row?.unit], [5, '%']);
});

test('a figure of our own alone keeps its unit and needs no other', () => {
  const readings = createReadings();
  readings.add('memory per parked poll', 'KiB', 'gateway', 17);
  const [row] = rowsOf(readings);
  assert.deepEqual([row?.value, row?.unit, row?.theirs], [17, 'KiB', null]);
});

test('a figure without a reading of the gateway has no row', () => {
  const readings = createReadings();
  readings.add('CPU per call, concurrency 1', 'µs', 'nginx', 100);
  assert.deepEqual(rowsOf(readings), []);
});

test('a verdict tells the goal from what is beyond it, whichever way is better', () => {
  const verdictOn = (figure: string, ours: number): string | undefined => {
    const readings = createReadings();
    readings.add(figure, 'any', 'gateway', ours);
    readings.add(figure, 'any', 'nginx', 100);
    return judge(readings)[0]?.verdict;
  };
  const cpu = [220, 221, 301].map((ours) => verdictOn('CPU per call, concurrency 1', ours));
  assert.deepEqual(cpu, ['beyond', 'met', 'missed']);
  const throughput = [150, 120, 119].map((ours) => verdictOn('throughput, concurrency 256', ours));
  assert.deepEqual(throughput, ['beyond', 'met', 'missed']);
});

test('what is beyond a goal is better than the goal, and no two goals have the same name', () => {
  for (const { figure, goal, beyond, better } of GOALS) {
    assert.ok(better === 'lower' ? beyond < goal : beyond > goal, figure);
  }
  const names = GOALS.map(({ figure, against }) => `${figure} against ${against}`);
  assert.deepEqual([...new Set(names)], names);
});
