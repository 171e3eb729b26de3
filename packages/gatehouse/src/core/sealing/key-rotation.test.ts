import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type KeyRotationOptions, startKeyRotation } from './key-rotation.ts';
import {
  fakeClock,
  fakeDirectory,
  fakeKms,
  logLines,
  REGION,
  recordOf,
  settle,
} from './keys-fixture.test.ts';
import { ensureNamespaceKeys } from './make-namespace-keys.ts';

const DAY_MS = 86_400_000;

/** Namespaces with keys of this moment; those that are `off` have some from an earlier time. */
async function startSite(t: TestContext, changes: Partial<KeyRotationOptions> = {}) {
  const records = [
    recordOf('orders'),
    recordOf('bills', { kmsKey: 'theirs' }),
    recordOf('abroad', { region: 'aws-elsewhere' }),
    recordOf('open', { sealing: 'off' }),
  ];
  const directory = fakeDirectory(...records);
  const clock = fakeClock();
  const [kms, theirs] = [fakeKms('kms-one'), fakeKms('kms-two')];
  for (const record of records) await ensureNamespaceKeys({ directory, clock, kms }, record);
  const rotated: string[] = [];
  const { log, lines } = logLines();
  const start = () => {
    const rotation = startKeyRotation({
      ...{ directory, clock, log, region: REGION, namespaceKeyDays: 30 },
      kmsFor: ({ kmsKey }) => (kmsKey === '' ? kms : theirs),
      onRotated: ({ namespaceId }) => rotated.push(namespaceId),
      ...changes,
    });
    t.after(() => rotation.stop());
    return rotation;
  };
  const counts = () => records.map(({ uuid }) => directory.namespaceKeys(uuid).length);
  return { directory, clock, kms, theirs, rotated, lines, start, counts, records };
}

test('a payload key of the age for it gets a successor, once, and nothing else does', async (t) => {
  const { clock, start, counts, rotated, directory, records } = await startSite(t);
  const rotation = start();
  clock.advance(30 * DAY_MS - 1);
  await rotation.look();
  assert.deepEqual(counts(), [2, 2, 2, 2]);
  clock.advance(1);
  await rotation.look();
  await rotation.look();
  assert.deepEqual(counts(), [3, 3, 2, 2]);
  assert.deepEqual(rotated.sort(), ['bills.acme1', 'orders.acme1']);
  const bills = directory.namespaceKeys(records[1]?.uuid ?? '').at(-1);
  assert.deepEqual([bills?.purpose, bills?.kmsKeyId], ['payload', 'kms-two']);
});

test('of many replicas one makes the key and one tells of it', async (t) => {
  const { clock, start, counts, rotated } = await startSite(t);
  const replicas = Array.from({ length: 10 }, start);
  clock.advance(30 * DAY_MS);
  await Promise.all(replicas.map((replica) => replica.look()));
  assert.deepEqual(counts(), [3, 3, 2, 2]);
  assert.equal(rotated.length, 2);
});

test('a KMS that is away delays its own namespaces only, and they follow when it is back', async (t) => {
  const { clock, kms, start, counts, lines } = await startSite(t);
  const rotation = start();
  clock.advance(30 * DAY_MS);
  kms.mode = 'away';
  await rotation.look();
  assert.deepEqual(counts(), [2, 3, 2, 2]);
  assert.equal(lines.filter(({ level }) => level === 'warn').length, 1);
  kms.mode = 'well';
  await rotation.look();
  assert.deepEqual(counts(), [3, 3, 2, 2]);
});

test('nothing is rotated while the directory is away, nor in a namespace that was erased', async (t) => {
  const { clock, directory, start, counts } = await startSite(t);
  const rotation = start();
  await directory.write.destroyNamespaceKeys('orders.acme1');
  clock.advance(30 * DAY_MS);
  directory.state = () => 'detached';
  await rotation.look();
  assert.deepEqual(counts(), [2, 2, 2, 2]);
  directory.state = () => 'current';
  await rotation.look();
  assert.deepEqual(counts(), [2, 3, 2, 2]);
});

test('it looks by itself every few minutes until it is stopped', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { clock, start, counts } = await startSite(t, { random: () => 0.5 });
  const rotation = start();
  clock.advance(30 * DAY_MS);
  t.mock.timers.tick(150_000);
  await settle();
  assert.deepEqual(counts(), [3, 3, 2, 2]);
  clock.advance(30 * DAY_MS);
  t.mock.timers.tick(300_000);
  await settle();
  assert.deepEqual(counts(), [4, 4, 2, 2]);
  await rotation.stop();
  clock.advance(30 * DAY_MS);
  t.mock.timers.tick(3_000_000);
  await settle();
  assert.deepEqual(counts(), [4, 4, 2, 2]);
});
