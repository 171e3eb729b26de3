import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openLogFile } from './log-file.ts';

async function eventually(condition: () => boolean): Promise<void> {
  const end = performance.now() + 5000;
  while (!condition()) {
    assert.ok(performance.now() < end, 'not within 5 s');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

test('a log is two files of limited size, for its user alone, and changes its level while it is written', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-log-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'logs', 'gatehouse.log');
  const { log, setLevel } = openLogFile(path, 'info', 500);
  const read = (file: string): string =>
    statSync(file, { throwIfNoEntry: false }) ? readFileSync(file, 'utf8') : '';
  log.debug('unseen');
  setLevel('debug');
  for (let index = 0; index < 20; index += 1) log.debug(`line ${index}`);
  await eventually(() => read(path).includes('line 19') && read(`${path}.1`).includes('line 15'));
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.equal(statSync(join(folder, 'logs')).mode & 0o777, 0o700);
  assert.ok(statSync(path).size <= 500 && statSync(`${path}.1`).size <= 500);
  assert.doesNotMatch(read(path) + read(`${path}.1`), /unseen/);
});
