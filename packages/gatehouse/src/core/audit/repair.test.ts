import assert from 'node:assert/strict';
import { appendFile, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { openTestWriter, sampleEvent, temporaryFolder } from './fixture.test.ts';
import { AuditChainCorrupt, repairTail } from './repair.ts';
import { searchRecords } from './search.ts';
import { listSegments, segmentPath } from './segment-files.ts';
import { verifyChain } from './verify.ts';

async function writeChain(folder: string, calls = 20, segmentBytesMax = 1_000_000): Promise<void> {
  const writer = await openTestWriter(folder, { segmentBytesMax });
  for (let index = 0; index < calls; index += 1) writer.append(sampleEvent({ requestId: `r${index}` }));
  await writer.close();
}

async function repairsOf(folder: string): Promise<string[]> {
  const details: string[] = [];
  for await (const record of searchRecords(folder, { method: 'audit.repair' })) details.push(record.detail);
  return details;
}

async function changeLine(path: string, index: number, change: (line: string) => string): Promise<void> {
  const lines = (await readFile(path, 'latin1')).split('\n');
  lines[index] = change(lines[index] ?? '');
  await writeFile(path, lines.join('\n'), 'latin1');
}

test('F-13 a torn tail is cut, recorded with its size, and the chain goes on', async (t) => {
  const folder = await temporaryFolder(t);
  await writeChain(folder);
  await appendFile(segmentPath(folder, 1), '{"seq":24,"prev":"abc');
  assert.equal((await verifyChain(folder)).tornBytes, 21);
  await writeChain(folder);
  assert.deepEqual(await repairsOf(folder), ['21 bytes of a torn tail were cut']);
  assert.equal((await verifyChain(folder)).fault, undefined);
});

test('F-13 a tail of garbage lines and holes behind the last synced record is cut', async (t) => {
  const folder = await temporaryFolder(t);
  await writeChain(folder);
  await appendFile(segmentPath(folder, 1), `${'\0'.repeat(4096)}half a line"}\n\0\0\n`);
  await writeChain(folder);
  assert.equal((await repairsOf(folder)).length, 1);
  assert.equal((await verifyChain(folder)).fault, undefined);
});

test('F-13 a segment whose header never reached the disk is removed, and its number used again', async (t) => {
  for (const torn of ['', '{"seq":']) {
    const folder = await temporaryFolder(t);
    await writeChain(folder);
    await writeFile(segmentPath(folder, 2), torn);
    await writeChain(folder);
    assert.equal((await repairsOf(folder)).length, torn === '' ? 0 : 1);
    assert.equal((await listSegments(folder)).length, 1);
    assert.equal((await verifyChain(folder)).fault, undefined);
  }
});

test('F-13 a chain that never got beyond a torn first line begins anew', async (t) => {
  const folder = await temporaryFolder(t);
  await writeFile(segmentPath(folder, 1), '{"seq":0,"pre');
  await writeChain(folder);
  assert.equal((await repairsOf(folder)).length, 1);
  assert.equal((await verifyChain(folder)).fault, undefined);
});

test('a changed record in the last segment stops the process, and nothing is touched', async (t) => {
  const folder = await temporaryFolder(t);
  await writeChain(folder);
  const path = segmentPath(folder, 1);
  await changeLine(path, 5, (line) => line.replace('"ok"', '"no"'));
  const before = await readFile(path);
  await assert.rejects(openTestWriter(folder), (error) => {
    return (
      error instanceof AuditChainCorrupt && /record 5 .*a line was changed.*audit verify/s.test(error.message)
    );
  });
  assert.deepEqual(await readFile(path), before);
});

test('a missing record in the last segment stops the process', async (t) => {
  const folder = await temporaryFolder(t);
  await writeChain(folder);
  const path = segmentPath(folder, 1);
  const lines = (await readFile(path, 'latin1')).split('\n');
  lines.splice(5, 1);
  await writeFile(path, lines.join('\n'));
  await assert.rejects(openTestWriter(folder), /record 5 .*missing/);
});

test('a tail cut before a checkpoint that was on disk stops the process, at a boundary or inside a record', async (t) => {
  for (const bytes of [1, 400]) {
    const folder = await temporaryFolder(t);
    await writeChain(folder);
    const path = segmentPath(folder, 1);
    await truncate(path, (await stat(path)).size - bytes);
    await assert.rejects(openTestWriter(folder), /the chain once went on to record/);
  }
});

test('segments that are gone while their checkpoint is known stop the process', async (t) => {
  const folder = await temporaryFolder(t);
  await writeChain(folder);
  await rm(segmentPath(folder, 1));
  await assert.rejects(openTestWriter(folder), /its segments are gone/);
});

test('a changed copy of the latest checkpoint stops the process', async (t) => {
  const folder = await temporaryFolder(t);
  await writeChain(folder);
  await changeLine(join(folder, 'latest-checkpoint.json'), 0, (line) => line.replace('1', '2'));
  await assert.rejects(openTestWriter(folder), AuditChainCorrupt);
});

test('a segment under the name of another stops the process', async (t) => {
  const folder = await temporaryFolder(t);
  await writeChain(folder);
  await writeFile(segmentPath(folder, 2), await readFile(segmentPath(folder, 1)));
  await assert.rejects(openTestWriter(folder), /the name of another/);
});

test('opening reads the last segment only: what is wrong before it is left to the verifier', async (t) => {
  const folder = await temporaryFolder(t);
  await writeChain(folder, 60, 8_000);
  await changeLine(segmentPath(folder, 1), 5, (line) => line.replace('"ok"', '"no"'));
  const end = await repairTail(folder);
  assert.ok((end.last?.header.segment ?? 0) > 2);
  await (await openTestWriter(folder)).close();
  assert.equal((await verifyChain(folder)).fault?.seq, 5);
});
