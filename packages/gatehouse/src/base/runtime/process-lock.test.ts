import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type ProcessLock, takeProcessLock } from './process-lock.ts';

async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'gatehouse-lock-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

function take(folder: string): Promise<ProcessLock> {
  return takeProcessLock(folder, (pid) => `process ${pid} is there already`);
}

test('a lock that is held is refused, a released one is free', async (t) => {
  const folder = await temporaryFolder(t);
  const lock = await take(folder);
  await assert.rejects(take(folder), new Error(`process ${process.pid} is there already`));
  await lock.release();
  await (await take(folder)).release();
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
    await (await take(folder)).release();
  }
});

test('of several that find a dead lock, exactly one gets it', async (t) => {
  const folder = await temporaryFolder(t);
  await writeFile(join(folder, 'writer.lock'), JSON.stringify({ pid: process.pid, life: 'some-boot/1' }));
  const results = await Promise.allSettled(Array.from({ length: 8 }, () => take(folder)));
  assert.equal(results.filter((result) => result.status === 'fulfilled').length, 1);
  assert.deepEqual(await readdir(folder), ['writer.lock']);
});

test('a lock that a crash of the machine tore is taken over', async (t) => {
  const folder = await temporaryFolder(t);
  for (const torn of ['', '{"pid":', 'null']) {
    await writeFile(join(folder, 'writer.lock'), torn);
    await (await take(folder)).release();
  }
});
