import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { openLocalKms } from '#base/crypto/local-kms';
import { systemClock } from '#base/runtime/clock';
import { silentLog } from '#base/runtime/log';
import { type AuditRecord, createRecordReader, recordJson } from './audit-record.ts';
import { eventBody, GENESIS_HASH, sealLine } from './chain.ts';
import { inTheOpen } from './event-parts.ts';
import { openAuditDataKeys } from './fields/audit-data-keys.ts';
import { eraseDataKey, listDataKeys } from './fields/data-key-files.ts';
import { type FieldOpener, openFieldOpener } from './fields/field-opener.ts';
import { dataKeys, openTestWriter, sampleEvent, signingKey, temporaryFolder } from './fixture.test.ts';
import { checkpointLine, checkpointMessage, headerLine, parseHeader } from './marker-lines.ts';
import { type RecordFilter, searchRecords } from './search.ts';
import { listSegments } from './segment-files.ts';
import { tailRecords } from './tail.ts';
import { verifyChain } from './verify.ts';

const PERSONAL = {
  principal: 'user:ada@example.com',
  credential: 'CN=Ada Lovelace CA:7b01',
  peer: '203.0.113.7:55001',
  detail: 'workflow "ada" \u202e',
};

async function place(t: TestContext) {
  const root = await temporaryFolder(t);
  const kms = await openLocalKms(join(root, 'kms.key'));
  const keyFolder = join(root, 'keys');
  return {
    folder: join(root, 'audit'),
    keyFolder,
    opener: () => openFieldOpener(keyFolder, kms),
    keys: () => openAuditDataKeys({ folder: keyFolder, kms, clock: systemClock, log: silentLog }),
  };
}

async function search(folder: string, filter: RecordFilter, opener?: FieldOpener): Promise<AuditRecord[]> {
  const found: AuditRecord[] = [];
  for await (const record of searchRecords(folder, filter, createRecordReader(opener))) found.push(record);
  return found;
}

async function bytesOf(folder: string): Promise<string> {
  const texts = await Promise.all((await listSegments(folder)).map(({ path }) => readFile(path, 'latin1')));
  return texts.join('');
}

test('nothing personal lies on the disk in the clear, and with the keys every record is as it was given', async (t) => {
  const { folder, keys, opener } = await place(t);
  const writer = await openTestWriter(folder, { dataKeys: await keys(), segmentBytesMax: 4_000 });
  for (let index = 0; index < 30; index += 1) writer.append(sampleEvent({ ...PERSONAL, status: index }));
  await writer.appendStrict(sampleEvent({ ...PERSONAL, status: 30 }));
  await writer.close();
  const bytes = await bytesOf(folder);
  // Long enough not to turn up in base64 or hex by chance.
  for (const piece of ['Lovelace', '203.0.113.7']) assert.ok(!bytes.includes(piece), piece);
  assert.ok((await listSegments(folder)).length > 3);
  const records = await search(folder, { peer: '203.0.113.7' }, await opener());
  assert.equal(records.length, 31);
  for (const [index, record] of records.entries()) {
    const { seq: _seq, prev: _prev, monotonicMs: _ms, hash: _hash, closed, ...event } = record;
    assert.deepEqual(event, sampleEvent({ ...PERSONAL, status: index }));
    assert.deepEqual(closed, {});
  }
  assert.equal((await search(folder, { peer: PERSONAL.peer }, await opener())).length, 31);
  assert.equal((await search(folder, { credential: PERSONAL.credential }, await opener())).length, 31);
  assert.equal((await search(folder, { principal: PERSONAL.principal }, await opener())).length, 31);
  assert.equal((await search(folder, { peer: '203.0.113' }, await opener())).length, 0);
});

test('an auditor with the folder alone verifies the chain, finds pseudonyms, and reads what the chain says of itself', async (t) => {
  const { folder, keys } = await place(t);
  const writer = await openTestWriter(folder, { dataKeys: await keys() });
  const fingerprint = `certificate:${'ab'.repeat(32)}`;
  writer.append(sampleEvent({ ...PERSONAL, principal: fingerprint }));
  await writer.close();
  await (await openTestWriter(folder, { dataKeys: await keys() })).close();
  assert.equal((await verifyChain(folder)).fault, undefined);
  const [record] = await search(folder, { principal: fingerprint });
  assert.deepEqual(record?.closed, { credential: 'sealed', peer: 'sealed', detail: 'sealed' });
  assert.match(record?.peer ?? '', /^~/);
  const own = (await search(folder, {})).filter(({ kind }) => kind === 'system');
  assert.equal(own.length, 4);
  assert.ok(own.every(({ closed }) => Object.keys(closed).length === 0));
});

test('a chain whose keys were destroyed verifies, goes on, and shows what was erased as erased', async (t) => {
  const { folder, keyFolder, keys, opener } = await place(t);
  const writer = await openTestWriter(folder, { dataKeys: await keys() });
  writer.append(sampleEvent(PERSONAL));
  await writer.close();
  for (const file of await listDataKeys(keyFolder)) await eraseDataKey(keyFolder, file);
  const next = await openTestWriter(folder, { dataKeys: await keys() });
  next.append(sampleEvent({ ...PERSONAL, requestId: 'later' }));
  await next.close();
  assert.equal((await verifyChain(folder)).fault, undefined);
  const [erased, later] = await search(folder, { namespace: 'default.local' }, await opener());
  assert.deepEqual(erased?.closed, {
    principal: 'erased',
    credential: 'erased',
    peer: 'erased',
    detail: 'erased',
  });
  assert.equal(erased?.method, sampleEvent().method);
  assert.equal(later?.peer, PERSONAL.peer);
  assert.equal(JSON.parse(recordJson(erased as AuditRecord)).closed.peer, 'erased');
});

/** Changes one line, as who holds the folder can. */
async function change(folder: string, edit: (line: string) => string): Promise<number> {
  const [segment] = await listSegments(folder);
  const path = segment?.path ?? '';
  const lines = (await readFile(path, 'latin1')).split('\n');
  const at = lines.findIndex((line) => line.includes('"kind":"call"'));
  lines[at] = edit(lines[at] ?? '');
  await writeFile(path, lines.join('\n'), 'latin1');
  return at;
}

/** Another last character before the tag's end: the same length, another box. */
const otherPeer = (line: string): string =>
  line.replace(
    /("peer":"~[\w-]{40})(.)/,
    (_, head: string, at: string) => `${head}${at === 'A' ? 'B' : 'A'}`,
  );

test('T-086 a changed sealed field breaks the chain at its record, and with a hash made anew it is unreadable', async (t) => {
  for (const rehash of [false, true]) {
    const { folder, keys, opener } = await place(t);
    const writer = await openTestWriter(folder, { dataKeys: await keys() });
    writer.append(sampleEvent(PERSONAL));
    await writer.close();
    const seq = await change(folder, (line) => {
      const changed = otherPeer(line);
      return rehash ? sealLine(changed.replace(/,"hash":"\w+"\}$/, '')).line.trimEnd() : changed;
    });
    assert.equal((await verifyChain(folder)).fault?.seq, seq);
    const [record] = await tailRecords(
      folder,
      1,
      { method: 'StartWorkflowExecution' },
      createRecordReader(await opener()),
    );
    if (rehash) assert.deepEqual(record?.closed, { peer: 'unreadable' });
    else assert.equal(record, undefined);
  }
});

test('a sealed field of another field or chain put in its place is unreadable', async (t) => {
  const { folder, keys, opener } = await place(t);
  const writer = await openTestWriter(folder, { dataKeys: await keys() });
  writer.append(sampleEvent(PERSONAL));
  await writer.close();
  await change(folder, (line) => {
    const credential = /"credential":"(~[\w-]+)"/.exec(line)?.[1];
    return sealLine(
      line.replace(/"peer":"~[\w-]+"/, `"peer":"${credential}"`).replace(/,"hash":"\w+"\}$/, ''),
    ).line.trimEnd();
  });
  const [record] = await search(folder, { namespace: 'default.local' }, await opener());
  assert.deepEqual(record?.closed, { peer: 'unreadable' });
});

/** A chain as versions before sealing wrote it, whose one call has texts that look sealed. */
async function openChain(folder: string): Promise<void> {
  await (await openTestWriter(folder)).close();
  const [segment] = await listSegments(folder);
  const [first = ''] = (await readFile(segment?.path ?? '', 'latin1')).split('\n');
  const written = parseHeader(first);
  assert.ok(written);
  const header = headerLine({ seq: 0, hash: GENESIS_HASH }, { ...written, format: 1 });
  const event = sampleEvent({ ...PERSONAL, detail: '~looks sealed' });
  const call = sealLine(eventBody({ seq: 1, hash: header.hash }, event, 1, inTheOpen));
  const content = { ...written, seq: 2, hash: call.hash };
  const end = checkpointLine(content, signingKey.sign(checkpointMessage(content)));
  await writeFile(segment?.path ?? '', header.line + call.line + end.line, 'latin1');
  await writeFile(join(folder, 'latest-checkpoint.json'), end.line);
}

test('a chain from before sealing goes on in a new segment, and both of its forms are read', async (t) => {
  const { folder, keys, opener } = await place(t);
  await openChain(folder);
  assert.equal((await verifyChain(folder)).fault, undefined);
  for (let round = 0; round < 2; round += 1) {
    const writer = await openTestWriter(folder, { dataKeys: await keys() });
    writer.append(sampleEvent({ ...PERSONAL, detail: '~is sealed' }));
    await writer.close();
  }
  const verdict = await verifyChain(folder);
  assert.equal(verdict.fault, undefined);
  assert.equal(verdict.segments, 2);
  const details = (await search(folder, { peer: '203.0.113.7' }, await opener())).map(({ detail }) => detail);
  assert.deepEqual(details, ['~looks sealed', '~is sealed', '~is sealed']);
  assert.ok(!(await readFile(join(folder, '00000002.jsonl'), 'latin1')).includes('203.0.113.7'));
});

test('a flood is folded before it is sealed, and its one record opens', async (t) => {
  const { folder, keys, opener } = await place(t);
  const writer = await openTestWriter(folder, { dataKeys: await keys(), foldAfter: 1 });
  for (let port = 1; port <= 50; port += 1) {
    writer.append(sampleEvent({ outcome: 'refused', reason: 'why', peer: `203.0.113.7:${port}` }));
  }
  await writer.close();
  const records = await search(folder, { peer: '203.0.113.7' }, await opener());
  assert.equal(
    records.reduce((sum, { count }) => sum + count, 0),
    50,
  );
  assert.ok(records.length <= 4);
});

test('keys in memory seal as well: a reader without them sees the record and not who', async (t) => {
  const { folder } = await place(t);
  const writer = await openTestWriter(folder, { dataKeys });
  writer.append(sampleEvent(PERSONAL));
  await writer.close();
  const reader = createRecordReader();
  const [record] = await tailRecords(folder, 1, { namespace: 'default.local' }, reader);
  assert.equal(record?.outcome, 'ok');
  assert.equal(record?.closed.peer, 'sealed');
  assert.equal(reader.closedRecords(), 1);
});
