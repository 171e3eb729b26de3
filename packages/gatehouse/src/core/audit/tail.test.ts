import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openTestWriter, sampleEvent, temporaryFolder } from './fixture.test.ts';
import { type RecordFilter, searchRecords } from './search.ts';
import { followRecords, tailRecords } from './tail.ts';

async function chainOf(folder: string, calls: number) {
  const writer = await openTestWriter(folder, { segmentBytesMax: 6_000 });
  for (let index = 0; index < calls; index += 1) {
    writer.append(sampleEvent({ requestId: `r${index}`, timeMs: 1_000 + index, status: index % 3 }));
  }
  await writer.flush();
  return writer;
}

async function found(folder: string, filter: RecordFilter): Promise<string[]> {
  const ids: string[] = [];
  for await (const record of searchRecords(folder, filter)) ids.push(record.requestId);
  return ids;
}

test('the newest records come back oldest first, over as many segments as it takes', async (t) => {
  const folder = await temporaryFolder(t);
  const writer = await chainOf(folder, 50);
  const records = await tailRecords(folder, 30, { namespace: 'default.local' });
  assert.deepEqual(
    records.map((record) => record.requestId),
    Array.from({ length: 30 }, (_, index) => `r${20 + index}`),
  );
  assert.ok(writer.stats().segment > 4);
  await writer.close();
});

test('a search holds to every part of its filter, with times from inclusive to exclusive', async (t) => {
  const folder = await temporaryFolder(t);
  const writer = await chainOf(folder, 10);
  writer.append(
    sampleEvent({
      requestId: 'odd',
      namespace: 'b.local',
      principal: 'anonymous',
      outcome: 'refused',
      reason: 'why',
    }),
  );
  await writer.close();
  for (const filter of [
    { namespace: 'b.local' },
    { principal: 'anonymous' },
    { outcome: 'refused' },
    { reason: 'why' },
    { requestId: 'odd' },
  ]) {
    assert.deepEqual(await found(folder, filter), ['odd']);
  }
  assert.deepEqual(await found(folder, { sinceMs: 1_003, untilMs: 1_005 }), ['r3', 'r4']);
  assert.equal((await found(folder, { method: 'StartWorkflowExecution' })).length, 11);
  assert.equal((await found(folder, { method: 'WorkflowService/StartWorkflowExecution' })).length, 11);
  assert.equal((await found(folder, { method: 'WorkflowExecution' })).length, 0);
  assert.deepEqual(await found(folder, { namespace: 'b.local', outcome: 'ok' }), []);
});

test('following gives each new record once, over a change of segments', async (t) => {
  const folder = await temporaryFolder(t);
  const writer = await chainOf(folder, 3);
  const last = (await tailRecords(folder, 1)).at(-1)?.seq ?? -1;
  const stop = new AbortController();
  const seen: string[] = [];
  const adding = (async () => {
    for (let index = 0; index < 30; index += 1)
      await writer.appendStrict(sampleEvent({ requestId: `new${index}` }));
  })();
  for await (const record of followRecords(folder, last, {}, stop.signal)) {
    seen.push(record.requestId);
    if (seen.length === 30) stop.abort();
  }
  await adding;
  assert.deepEqual(
    seen,
    Array.from({ length: 30 }, (_, index) => `new${index}`),
  );
  await writer.close();
});
