import assert from 'node:assert/strict';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Refusal } from '#base/model/refusals';
import { systemClock } from '#base/runtime/clock';
import type { AuditRecord } from './audit-record.ts';
import { createAuditSigningKey } from './audit-signing-key.ts';
import {
  errno,
  faultyFiles,
  openTestWriter,
  sampleEvent,
  signingKey,
  temporaryFolder,
  until,
} from './fixture.test.ts';
import { searchRecords } from './search.ts';
import { listSegments } from './segment-files.ts';
import { verifyChain } from './verify.ts';

async function recordsOf(folder: string): Promise<AuditRecord[]> {
  const records: AuditRecord[] = [];
  for await (const record of searchRecords(folder, {})) records.push(record);
  return records;
}

async function assertVerified(folder: string): Promise<void> {
  assert.equal((await verifyChain(folder)).fault, undefined);
}

test('what was appended is read back in order, between the records of start and stop', async (t) => {
  const folder = await temporaryFolder(t);
  const writer = await openTestWriter(folder);
  writer.append(sampleEvent({ requestId: 'a' }));
  writer.append(sampleEvent({ requestId: 'b' }));
  await writer.close();
  const records = await recordsOf(folder);
  assert.deepEqual(
    records.map((record) => record.requestId || record.method),
    ['audit.start', 'a', 'b', 'audit.stop'],
  );
  await assertVerified(folder);
});

test('the chain is in a folder of 0700, in files of 0600', async (t) => {
  const folder = join(await temporaryFolder(t), 'audit');
  const writer = await openTestWriter(folder);
  await writer.close();
  assert.equal((await stat(folder)).mode & 0o777, 0o700);
  for (const { path } of await listSegments(folder)) assert.equal((await stat(path)).mode & 0o777, 0o600);
});

test('a chain goes on over restarts, and every segment is signed to its end', async (t) => {
  const folder = await temporaryFolder(t);
  for (let round = 0; round < 5; round += 1) {
    const writer = await openTestWriter(folder, { segmentBytesMax: 6_000 });
    for (let index = 0; index < 20; index += 1) writer.append(sampleEvent());
    await writer.close();
  }
  const verdict = await verifyChain(folder);
  assert.equal(verdict.fault, undefined);
  assert.ok(verdict.segments > 5);
  const records = await recordsOf(folder);
  assert.equal(records.filter((record) => record.kind === 'call').length, 100);
});

test('a relaxed record is on disk by itself within a few milliseconds', async (t) => {
  const folder = await temporaryFolder(t);
  const writer = await openTestWriter(folder);
  writer.append(sampleEvent({ requestId: 'alone' }));
  assert.equal(writer.stats().queuedRecords, 1);
  await until(() => writer.stats().queuedRecords === 0);
  assert.ok((await recordsOf(folder)).some((record) => record.requestId === 'alone'));
  await writer.close();
});

test('a strict append resolves only after the sync that covers its record', async (t) => {
  const folder = await temporaryFolder(t);
  const files = faultyFiles();
  const writer = await openTestWriter(folder, { files });
  const gate = Promise.withResolvers<void>();
  files.gate = gate.promise;
  const syncsBefore = files.syncs;
  let resolved = false;
  const strict = writer.appendStrict(sampleEvent()).then(() => {
    resolved = true;
  });
  await until(() => files.syncs > syncsBefore);
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(resolved, false);
  gate.resolve();
  await strict;
  assert.equal(writer.stats().queuedRecords, 0);
  await writer.close();
});

test('all that waits is written at once: one write and one sync for a group, never two syncs under way', async (t) => {
  const folder = await temporaryFolder(t);
  const files = faultyFiles();
  const writer = await openTestWriter(folder, { files });
  const { writes, syncs } = files;
  await Promise.all(Array.from({ length: 500 }, () => writer.appendStrict(sampleEvent())));
  assert.equal(files.writes - writes, 1);
  assert.equal(files.syncs - syncs, 1);

  const gate = Promise.withResolvers<void>();
  files.gate = gate.promise;
  const first = writer.appendStrict(sampleEvent());
  await until(() => files.syncs === syncs + 2);
  const others = Array.from({ length: 500 }, () => writer.appendStrict(sampleEvent()));
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(files.syncs, syncs + 2);
  gate.resolve();
  await Promise.all([first, ...others]);
  assert.equal(files.syncs, syncs + 3);
  assert.equal(files.syncsAtOnceMost, 1);
  await writer.close();
  await assertVerified(folder);
});

test('where several wait together, the next sync waits a little for more of them; who is alone does not wait', async (t) => {
  const files = faultyFiles();
  const writer = await openTestWriter(await temporaryFolder(t), { files });
  const strict = (): Promise<void> => writer.appendStrict(sampleEvent());
  const turns = async (): Promise<void> => {
    for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  };
  await strict();
  t.mock.timers.enable({ apis: ['setTimeout'] });
  await strict();
  await Promise.all([strict(), strict(), strict(), strict()]);
  const { syncs } = files;
  const early = strict();
  await turns();
  const late = strict();
  await turns();
  assert.equal(files.syncs, syncs);
  t.mock.timers.tick(5);
  await Promise.all([early, late]);
  assert.equal(files.syncs, syncs + 1);
  t.mock.timers.reset();
  await writer.close();
});

for (const code of ['ENOSPC', 'EIO']) {
  test(`F-11 F-12 ${code}: not writable, nothing dropped, no torn file, well again by itself`, async (t) => {
    const folder = await temporaryFolder(t);
    const files = faultyFiles();
    const writer = await openTestWriter(folder, { files });
    await writer.appendStrict(sampleEvent({ requestId: 'before' }));
    files.error = errno(code);
    files.takesBytes = 100;
    writer.append(sampleEvent({ requestId: 'during-1' }));
    await until(() => !writer.writable());
    assert.equal(writer.stats().failing, code);
    writer.append(sampleEvent({ requestId: 'during-2' }));
    await assert.rejects(writer.appendStrict(sampleEvent({ requestId: 'during-3' })), (error) => {
      return error instanceof Refusal && error.code === 'audit_unavailable' && !error.message.includes(code);
    });
    assert.equal(writer.stats().queuedRecords, 3);
    const meanwhile = await verifyChain(folder);
    assert.equal(meanwhile.fault, undefined);

    files.error = undefined;
    await until(() => writer.writable());
    await writer.flush();
    await writer.close();
    const records = await recordsOf(folder);
    assert.deepEqual(
      records.filter((record) => record.kind === 'call').map((record) => record.requestId),
      ['before', 'during-1', 'during-2', 'during-3'],
    );
    await assertVerified(folder);
  });
}

test('F-12 a sync that fails is followed by writing the same bytes again', async (t) => {
  const folder = await temporaryFolder(t);
  const files = faultyFiles();
  const writer = await openTestWriter(folder, { files });
  const gate = Promise.withResolvers<void>();
  files.gate = gate.promise;
  const { syncs, writes } = files;
  const strict = writer.appendStrict(sampleEvent());
  await until(() => files.syncs > syncs);
  files.error = errno('EIO');
  gate.resolve();
  await assert.rejects(strict, /could not be recorded/);
  files.error = undefined;
  await until(() => writer.writable());
  assert.ok(files.writes >= writes + 2);
  await writer.close();
  await assertVerified(folder);
});

test('F-12 a store that takes writes and fails every sync stays refused until a sync succeeds', async (t) => {
  const files = faultyFiles();
  const writer = await openTestWriter(await temporaryFolder(t), { files, relaxedDelayMs: 1, syncDelayMs: 1 });
  files.syncError = errno('EIO');
  await assert.rejects(writer.appendStrict(sampleEvent()), /could not be recorded/);
  const { syncs } = files;
  await until(() => {
    assert.equal(writer.writable(), false);
    return files.syncs >= syncs + 3;
  });
  files.syncError = undefined;
  await until(() => writer.writable());
  await writer.close();
});

test('F-12 a sync that stalls makes the store not writable until it ends', async (t) => {
  const folder = await temporaryFolder(t);
  const files = faultyFiles();
  let aheadMs = 0;
  const clock = { now: systemClock.now, monotonicMs: () => systemClock.monotonicMs() + aheadMs };
  const writer = await openTestWriter(folder, { files, clock });
  const gate = Promise.withResolvers<void>();
  files.gate = gate.promise;
  const { syncs } = files;
  writer.append(sampleEvent());
  await until(() => files.syncs > syncs);
  assert.equal(writer.writable(), true);
  aheadMs = 2_500;
  assert.equal(writer.writable(), false);
  gate.resolve();
  await until(() => writer.writable());
  await writer.close();
});

test('F-08 T-085 a full queue is not writable, and still drops nothing of the calls under way', async (t) => {
  const folder = await temporaryFolder(t);
  const files = faultyFiles();
  const writer = await openTestWriter(folder, { files, queueBytesMax: 10_000 });
  const gate = Promise.withResolvers<void>();
  files.gate = gate.promise;
  let appended = 0;
  while (writer.writable()) {
    writer.append(sampleEvent());
    appended += 1;
  }
  assert.ok(appended > 5 && appended < 25);
  for (let index = 0; index < 10; index += 1) writer.append(sampleEvent());
  gate.resolve();
  await until(() => writer.writable());
  await writer.close();
  const calls = (await recordsOf(folder)).filter((record) => record.kind === 'call');
  assert.equal(calls.length, appended + 10);
});

test('closing while the disk is full says how many records are lost', { timeout: 20_000 }, async (t) => {
  const folder = await temporaryFolder(t);
  const files = faultyFiles();
  let aheadMs = 0;
  const clock = { now: systemClock.now, monotonicMs: () => systemClock.monotonicMs() + aheadMs };
  const writer = await openTestWriter(folder, { files, clock });
  files.error = errno('ENOSPC');
  writer.append(sampleEvent());
  const closing = writer.close();
  aheadMs = 10_000;
  await assert.rejects(closing, /3 audit records could not be written \(ENOSPC\)/);
  await assertVerified(folder);
});

test('records are signed within the given time, and not when there is nothing to sign', async (t) => {
  const folder = await temporaryFolder(t);
  const writer = await openTestWriter(folder, { checkpointMs: 5 });
  assert.equal(writer.stats().checkpoints, 1);
  writer.append(sampleEvent());
  await until(() => writer.stats().checkpoints === 2);
  await writer.flush();
  const { seq } = writer.stats();
  const verdict = await verifyChain(folder);
  assert.equal(verdict.signedSeq, seq - 1);
  await writer.close();
  assert.equal(writer.stats().checkpoints, 3);
});

test('a new signing key begins a new segment, is recorded, and both keys verify', async (t) => {
  const folder = await temporaryFolder(t);
  await (await openTestWriter(folder)).close();
  await (await openTestWriter(folder, { signingKey: createAuditSigningKey() })).close();
  const verdict = await verifyChain(folder);
  assert.equal(verdict.fault, undefined);
  assert.equal(verdict.segments, 2);
  assert.ok((await recordsOf(folder)).some((record) => record.method === 'audit.signing-key'));
  const pem = await readFile(join(folder, 'signing-key.pem'), 'utf8');
  assert.equal(pem.match(/BEGIN PUBLIC KEY/g)?.length, 2);
  assert.ok(pem.startsWith(signingKey.publicKeyPem));
  assert.ok(!pem.includes('PRIVATE'));
});

test('F-16 a stepped wall clock is recorded', async (t) => {
  const folder = await temporaryFolder(t);
  let stepMs = 0;
  const clock = { now: () => systemClock.now() + stepMs, monotonicMs: systemClock.monotonicMs };
  const writer = await openTestWriter(folder, { clock });
  stepMs = -3_600_000;
  await writer.close();
  const step = (await recordsOf(folder)).find((record) => record.method === 'clock.step');
  assert.match(step?.detail ?? '', /stepped by -(?:3600|3599)\d{3} ms/);
  await assertVerified(folder);
});

test('a second writer in the same folder is refused, and a closed one makes room', async (t) => {
  const folder = await temporaryFolder(t);
  const writer = await openTestWriter(folder);
  await assert.rejects(openTestWriter(folder), /is being written by process/);
  await writer.close();
  await (await openTestWriter(folder)).close();
  assert.deepEqual(
    (await readdir(folder)).filter((name) => /tmp|lock|dead/.test(name)),
    [],
  );
});

test('a closed writer takes no record', async (t) => {
  const writer = await openTestWriter(await temporaryFolder(t));
  await writer.close();
  assert.equal(writer.writable(), false);
  assert.throws(() => writer.append(sampleEvent()), /closed/);
  await assert.rejects(writer.appendStrict(sampleEvent()), /closed/);
});

async function appendMany(t: TestContext, count: number): Promise<{ folder: string; queuedMost: number }> {
  const folder = await temporaryFolder(t);
  const writer = await openTestWriter(folder, { queueBytesMax: 1_000_000 });
  let queuedMost = 0;
  for (let index = 0; index < count; index += 1) {
    if (!writer.writable()) await until(() => writer.writable());
    writer.append(sampleEvent({ durationMs: index }));
    queuedMost = Math.max(queuedMost, writer.stats().queuedBytes);
  }
  await writer.close();
  return { folder, queuedMost };
}

test('100,000 records go through a queue of 1 MB, and all are there', async (t) => {
  const { folder, queuedMost } = await appendMany(t, 100_000);
  assert.ok(queuedMost < 1_100_000);
  let next = 0;
  for await (const record of searchRecords(folder, { namespace: 'default.local' })) {
    assert.equal(record.durationMs, next);
    next += 1;
  }
  assert.equal(next, 100_000);
  const verdict = await verifyChain(folder);
  assert.equal(verdict.fault, undefined);
  assert.ok(verdict.checkpoints >= 10);
  assert.ok(verdict.segments >= 3);
});
