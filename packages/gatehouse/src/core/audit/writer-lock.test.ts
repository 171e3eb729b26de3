import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from './fixture.test.ts';
import { takeWriterLock } from './writer-lock.ts';

test('a lock that is held is refused, a released one is free', async (t) => {
  const folder = await temporaryFolder(t);
  const lock = await takeWriterLock(folder);
  await assert.rejects(takeWriterLock(folder), new RegExp(`by process ${process.pid}`));
  await lock.release();
  await (await takeWriterLock(folder)).release();
});

test('F-13 the lock of a process that is gone is taken over, also where its number lives again', async (t) => {
  const folder = await temporaryFolder(t);
  const { pid } = spawnSync(process.execPath, ['--version']);
  for (const holder of [
    { pid, life: 'some-boot/1' },
    { pid: process.pid, life: 'some-boot/1' },
    { pid: process.pid },
  ]) {
    await writeFile(join(folder, 'writer.lock'), JSON.stringify(holder));
    await (await takeWriterLock(folder)).release();
  }
});

test('of several that find a dead lock, exactly one gets it', async (t) => {
  const folder = await temporaryFolder(t);
  await writeFile(join(folder, 'writer.lock'), JSON.stringify({ pid: process.pid, life: 'some-boot/1' }));
  const results = await Promise.allSettled(Array.from({ length: 8 }, () => takeWriterLock(folder)));
  assert.equal(results.filter((result) => result.status === 'fulfilled').length, 1);
});
