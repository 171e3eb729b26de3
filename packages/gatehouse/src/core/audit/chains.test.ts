import assert from 'node:assert/strict';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createRecordReader } from './audit-record.ts';
import { chainOfProcess, listChains } from './chains.ts';
import { openTestWriter, sampleEvent, temporaryFolder } from './fixture.test.ts';
import { parseWitness } from './latest-checkpoint.ts';
import { followChains, searchChains, tailChains } from './read-chains.ts';
import { segmentPath } from './segment-files.ts';
import { verifyChains } from './verify-chains.ts';

const OWN = '';
const FIRST = chainOfProcess(1);
const SECOND = chainOfProcess(2);

/** The home's own chain and those of two processes, whose records come in turn: 0, 1, 2, 0, 1, 2. */
async function threeChains(t: TestContext): Promise<string> {
  const folder = await temporaryFolder(t);
  const places = [folder, join(folder, FIRST), join(folder, SECOND)];
  for (const [index, place] of places.entries()) {
    const writer = await openTestWriter(place);
    for (const round of [0, 1]) {
      writer.append(sampleEvent({ timeMs: 1000 + round * 10 + index, requestId: `${round}-${index}` }));
    }
    await writer.close();
  }
  return folder;
}

const faults = async (folder: string, witness = ''): Promise<(string | undefined)[][]> =>
  (await verifyChains(folder, { witness: parseWitness(witness) })).map(({ name, verdict }) => [
    name,
    verdict.fault?.reason,
  ]);

const checkpointOf = (folder: string): Promise<string> =>
  readFile(join(folder, 'latest-checkpoint.json'), 'latin1');

test('the chains of a home are its own, then those of its processes by their place', async (t) => {
  const folder = await temporaryFolder(t);
  for (const name of ['gateway-10', 'gateway-2', 'gateway-0', 'gateway-x', 'copy'])
    await mkdir(join(folder, name));
  assert.deepEqual(
    (await listChains(folder)).map(({ name }) => name),
    ['', 'gateway-2', 'gateway-10'],
  );
});

test('T-087 every chain is verified, and the one that was changed is named', async (t) => {
  const folder = await threeChains(t);
  assert.deepEqual(await faults(folder), [
    [OWN, undefined],
    [FIRST, undefined],
    [SECOND, undefined],
  ]);
  const path = segmentPath(join(folder, SECOND), 1);
  await writeFile(path, (await readFile(path, 'latin1')).replace('StartWorkflow', 'StopWorkflow'), 'latin1');
  assert.deepEqual(await faults(folder), [
    [OWN, undefined],
    [FIRST, undefined],
    [SECOND, 'the line was changed or is not a record'],
  ]);
});

test('T-087 a chain whose place is empty, and one that a witness knows, are missed', async (t) => {
  const folder = await threeChains(t);
  const witness = (
    await Promise.all([OWN, FIRST, SECOND].map((name) => checkpointOf(join(folder, name))))
  ).join('\n');
  assert.deepEqual(
    (await faults(folder, witness)).map(([, fault]) => fault),
    [undefined, undefined, undefined],
  );
  await rm(join(folder, FIRST), { recursive: true });
  assert.deepEqual((await faults(folder)).slice(2), [[FIRST, 'it is missing: gateway-2 is there']]);
  await rm(join(folder, SECOND), { recursive: true });
  const missed = await faults(folder);
  assert.deepEqual(missed, [[OWN, undefined]], 'of the last one only a witness tells');
  const found = await faults(folder, witness);
  assert.ok(found.some(([, fault]) => fault !== undefined));
});

test('a process that ended before its first record is no fault', async (t) => {
  const folder = await threeChains(t);
  await mkdir(join(folder, 'gateway-3'));
  assert.equal((await faults(folder)).length, 3);
});

test('records of all chains are found in the order of their times, each with its chain', async (t) => {
  const folder = await threeChains(t);
  const found: string[] = [];
  for await (const { requestId, chain } of searchChains(
    folder,
    { method: 'StartWorkflowExecution' },
    createRecordReader,
  )) {
    found.push(`${requestId} ${chain ?? 'own'}`);
  }
  assert.deepEqual(found, [
    '0-0 own',
    '0-1 gateway-1',
    '0-2 gateway-2',
    '1-0 own',
    '1-1 gateway-1',
    '1-2 gateway-2',
  ]);
  const { records } = await tailChains(folder, 2, { method: 'StartWorkflowExecution' }, createRecordReader);
  assert.deepEqual(
    records.map(({ requestId }) => requestId),
    ['1-1', '1-2'],
  );
});

test('what is written is followed in every chain, also in one that begins meanwhile', async (t) => {
  const folder = await threeChains(t);
  const filter = { method: 'StartWorkflowExecution' };
  const { lastSeqs } = await tailChains(folder, 1, filter, createRecordReader);
  const stop = new AbortController();
  const coming = followChains(folder, lastSeqs, filter, stop.signal, createRecordReader);
  const next = async (): Promise<string> => {
    const { value } = await coming.next();
    return `${value?.requestId} ${value?.chain ?? 'own'}`;
  };
  for (const name of [OWN, SECOND, 'gateway-3']) {
    const writer = await openTestWriter(join(folder, name));
    writer.append(sampleEvent({ requestId: `new-${name}` }));
    await writer.flush();
    assert.equal(await next(), `new-${name} ${name === OWN ? 'own' : name}`);
    await writer.close();
  }
  stop.abort();
  assert.equal((await coming.next()).done, true);
});
