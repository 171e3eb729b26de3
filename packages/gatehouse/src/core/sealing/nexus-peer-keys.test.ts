import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { NamespaceKeyring } from '#base/crypto/namespace-keyring';
import type { NamespaceRecord } from '#base/model/namespace-record';
import {
  createFakeKeyring,
  type FakeDirectory,
  fakeClock,
  fakeDirectory,
  fakeKms,
  logLines,
  REGION,
  recordOf,
  refusalOf,
} from './keys-fixture.test.ts';
import { ensureNamespaceKeys, rotateNamespaceKey } from './make-namespace-keys.ts';
import { createNamespaceKeys } from './namespace-keys.ts';
import { createSealing, type Sealing } from './sealing.ts';

/** `orders` and `bills` are connected, `others` is with nobody. */
async function startSite(t: TestContext) {
  const [orders, bills, others] = [recordOf('orders'), recordOf('bills'), recordOf('others')];
  const directory = fakeDirectory(orders, bills, others);
  const clock = fakeClock();
  const kms = fakeKms('kms-one');
  const billsKms = fakeKms('kms-two');
  for (const [record, by] of [
    [orders, kms],
    [bills, billsKms],
    [others, kms],
  ] as const) {
    await ensureNamespaceKeys({ directory, clock, kms: by }, record);
  }
  const keys = createNamespaceKeys({
    directory,
    clock,
    log: logLines().log,
    region: REGION,
    kmsOf: (id) => [kms, billsKms].find(({ keyId }) => keyId === id),
    createKeyring: createFakeKeyring,
    random: () => 0.5,
  });
  t.after(() => keys.close());
  const connected = [orders, bills];
  const peersOf = (record: NamespaceRecord) =>
    connected.includes(record) ? connected.filter((each) => each !== record) : [];
  const sealing = createSealing({ directory, keys, peersOf });
  const newKey = () => rotateNamespaceKey({ directory, clock, kms: billsKms }, bills, 'payload');
  return { orders, bills, others, directory, billsKms, sealing, newKey };
}

function keyOf(directory: FakeDirectory, { uuid }: NamespaceRecord): string {
  const id = directory.namespaceKeys(uuid).findLast(({ purpose }) => purpose === 'payload')?.id;
  assert.ok(id);
  return id;
}

/** As the pipeline: look, load where it is not at hand, look again. */
async function peerKey(sealing: Sealing, record: NamespaceRecord, keyId: string) {
  const find = (): NamespaceKeyring | undefined => sealing.peer(record, keyId);
  return find() ?? ((await sealing.load(record, keyId, true)) ? find() : undefined);
}

test('the key of a peer is found on both sides, for what stands in a Nexus operation', async (t) => {
  const { orders, bills, directory, sealing } = await startSite(t);
  for (const [reader, owner] of [
    [orders, bills],
    [bills, orders],
  ] as const) {
    const found = await peerKey(sealing, reader, keyOf(directory, owner));
    assert.equal(found?.scope.namespaceUuid, owner.uuid);
  }
});

test('T-079a the key of a namespace that Nexus does not connect is not found, nor a peer key elsewhere', async (t) => {
  const { orders, bills, others, directory, sealing } = await startSite(t);
  assert.equal(await peerKey(sealing, orders, keyOf(directory, others)), undefined);
  assert.equal(await peerKey(sealing, others, keyOf(directory, orders)), undefined);
  assert.equal(await sealing.load(orders, keyOf(directory, bills), false), false);
});

test('a key that a peer made a moment ago, by another process, is found', async (t) => {
  const { orders, bills, directory, sealing, newKey } = await startSite(t);
  await peerKey(sealing, orders, keyOf(directory, bills));
  const before = directory.namespaceKeys(bills.uuid);
  await newKey();
  const id = keyOf(directory, bills);
  const after = directory.namespaceKeys(bills.uuid);
  directory.put(bills.uuid, before);
  const { refresh } = directory;
  directory.refresh = async () => {
    directory.put(bills.uuid, after);
    await refresh();
  };
  assert.ok(await peerKey(sealing, orders, id));
});

test('T-081 the destroyed key of a peer is no key, and the reader is not told to be erased', async (t) => {
  const { orders, bills, directory, sealing } = await startSite(t);
  const keyId = keyOf(directory, bills);
  await directory.write.destroyNamespaceKeys(bills.id);
  assert.equal(await peerKey(sealing, orders, keyId), undefined);
});

test('F-07 the disabled key of a peer refuses what needs it, and nothing else of the reader', async (t) => {
  const { orders, bills, directory, billsKms, sealing } = await startSite(t);
  billsKms.mode = 'disabled';
  await assert.rejects(
    peerKey(sealing, orders, keyOf(directory, bills)),
    refusalOf('encryption_key_disabled'),
  );
  assert.ok(await sealing.keysFor(orders));
});

test('a namespace has a plain peer while one that it is connected with is not sealed through and through', () => {
  const records = [recordOf('orders'), recordOf('bills', { sealing: 'migrate' })];
  const hasPlain = (...peers: readonly NamespaceRecord[]) =>
    createSealing({
      directory: fakeDirectory(),
      keys: { get: notAsked, refreshed: notAsked, drop: notAsked, keyDisabled: notAsked, close: notAsked },
      peersOf: () => peers,
    }).hasPlainPeer?.(recordOf('reader'));
  assert.equal(hasPlain(...records), true);
  assert.equal(hasPlain(recordOf('orders')), false);
  assert.equal(hasPlain(recordOf('orders', { sealing: 'off' })), true);
  assert.equal(hasPlain(), false);
});

function notAsked(): never {
  throw new Error('not asked for here');
}
