import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { openKeptSteps } from './kept-steps.ts';

const folder = mkdtempSync(join(tmpdir(), 'gatehouse-bench-test-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const machine = {
  cores: 2,
  processor: 'any',
  memoryGiB: 8,
  node: 'v24.0.0',
  mode: 'full',
  rounds: 5,
  calls: 20_000,
} as const;
const result = {
  series: [{ figure: 'f', unit: 'µs', subject: 'gateway', values: [1, 2] }],
  leftOut: ['the rest'],
};

test('a run that ended early goes on with what its steps have read', () => {
  const file = join(folder, 'early.json');
  openKeptSteps(file, machine).keep('calls', result);
  const again = openKeptSteps(file, machine);
  assert.deepEqual(again.result('calls'), result);
  assert.equal(again.result('memory'), undefined);
});

test('readings of another kind of run are not taken for this one', () => {
  const file = join(folder, 'other.json');
  openKeptSteps(file, machine).keep('calls', result);
  assert.throws(() => openKeptSteps(file, { ...machine, rounds: 2 }), /another run: rounds is not 2/);
});
