import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createNamespaceKeyring, type NamespaceKeyring } from '#base/crypto/namespace-keyring';
import { type FakeKeyring, logLines, REGION, recordOf, refusalOf, settle } from './keys-fixture.test.ts';
import { ensureNamespaceKeys, rotateNamespaceKey } from './make-namespace-keys.ts';
import { createNamespaceKeys } from './namespace-keys.ts';
import { startSite } from './namespace-keys-fixture.test.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

test('callers that come at once share one question for each key, and later ones get the keyring at once', async (t) => {
  const { keys, kms, orders, rowsOf, get } = await startSite(t);
  const [first, ...others] = await Promise.all(Array.from({ length: 50 }, () => get(orders)));
  assert.equal(kms.unwraps.length, 2);
  for (const other of others) assert.equal(other, first);
  assert.equal(keys.get(orders), first);
  assert.deepEqual(
    first?.keys.map(({ id }) => id),
    rowsOf(orders).map(({ id }) => id),
  );
  assert.deepEqual(first?.scope, { region: REGION, account: 'acme1', namespaceUuid: orders.uuid });
});

test('T-081b the wrapped key of another namespace is refused, loudly, and only its own namespace stops', async (t) => {
  const { directory, keys, orders, bills, rowsOf, get, lines } = await startSite(t);
  const [theirs] = rowsOf(bills);
  const rows = rowsOf(orders);
  assert.ok(theirs !== undefined);
  const { wrapped, kmsKeyId } = theirs;
  directory.put(
    orders.uuid,
    rows.map((row) => (row.purpose === 'payload' ? { ...row, wrapped, kmsKeyId } : row)),
  );
  await assert.rejects(async () => await keys.get(orders), refusalOf('encryption_unavailable'));
  assert.equal((await get(bills)).canSeal, true);
  assert.deepEqual(
    lines.map(({ level }) => level),
    ['error'],
  );
  // Its whole row neither.
  keys.drop(orders.uuid);
  directory.put(orders.uuid, [theirs]);
  await assert.rejects(async () => await keys.get(orders), refusalOf('encryption_unavailable'));
});

test('T-081a when a key is rotated no call waits or fails, and the new key seals as soon as it is unwrapped', async (t) => {
  const { keys, clock, orders, get, rotate } = await startSite(t);
  const before = await get(orders);
  const row = await rotate(orders);
  assert.equal(keys.get(orders), before);
  await settle();
  const after = keys.get(orders) as FakeKeyring;
  assert.equal(after.keys.length, 3);
  assert.equal(after.keys.at(-1)?.id, row.id);
  clock.advance(4 * MINUTE_MS);
  await settle();
  assert.equal(keys.get(orders), after);
});

test('when an old key cannot be unwrapped and the newest can, only what the old one sealed is lost', async (t) => {
  const { directory, orders, rowsOf, rotate, get, lines } = await startSite(t);
  const row = await rotate(orders);
  const [old] = rowsOf(orders);
  directory.put(
    orders.uuid,
    rowsOf(orders).map((each) => (each === old ? { ...each, kmsKeyId: 'kms-of-yore' } : each)),
  );
  const keyring = await get(orders);
  assert.equal(keyring.hasKey(row.id), true);
  assert.equal(keyring.hasKey(old?.id ?? ''), false);
  assert.deepEqual(
    lines.map(({ level }) => level),
    ['error'],
  );
});

test('a newest key that cannot be unwrapped is never stepped around with an older one', async (t) => {
  const { keys, other, orders, rotate } = await startSite(t);
  await rotate(orders, other);
  other.mode = 'away';
  await assert.rejects(async () => await keys.get(orders), refusalOf('encryption_unavailable'));
});

test('an erased namespace is refused from the call after the directory says so, and asks no KMS', async (t) => {
  const { directory, keys, kms, orders, bills, get } = await startSite(t);
  await get(orders);
  await directory.write.destroyNamespaceKeys(orders.id);
  const asked = kms.unwraps.length;
  assert.throws(() => keys.get(orders), refusalOf('namespace_erased'));
  await assert.rejects(keys.refreshed(orders), refusalOf('namespace_erased'));
  assert.equal(kms.unwraps.length, asked);
  assert.equal((await get(bills)).canSeal, true);
});

test('keys that are destroyed while the KMS is asked about them are not held', async (t) => {
  const { directory, keys, kms, orders } = await startSite(t);
  kms.mode = 'hanging';
  const waiting = assert.rejects(async () => await keys.get(orders), refusalOf('namespace_erased'));
  await settle();
  await directory.write.destroyNamespaceKeys(orders.id);
  kms.mode = 'well';
  kms.release();
  await waiting;
});

test('a namespace that is to be sealed and has no key is refused; one that is not sealed gets a keyring without keys', async (t) => {
  const { keys, get, orders, directory } = await startSite(t);
  directory.put(orders.uuid, []);
  await assert.rejects(async () => await keys.get(orders), refusalOf('encryption_unavailable'));
  const open = recordOf('orders', { sealing: 'off' });
  assert.equal((await get(open)).canSeal, false);
  // Switched on again: what served the unsealed one does not serve now.
  await assert.rejects(async () => await keys.get(recordOf('orders')), refusalOf('encryption_unavailable'));
});

test('a namespace of another region is refused', async (t) => {
  const { keys } = await startSite(t);
  const abroad = recordOf('orders', { region: 'aws-elsewhere' });
  assert.throws(() => keys.get(abroad), refusalOf('encryption_unavailable'));
});

test('a key that another process has made is found by asking the directory, once for any number of hostile boxes', async (t) => {
  const { directory, keys, clock, kms, orders, get, rotate } = await startSite(t);
  await get(orders);
  const row = await rotate(orders);
  const rings = await Promise.all(Array.from({ length: 20 }, () => keys.refreshed(orders)));
  for (const ring of rings) assert.equal(ring.hasKey(row.id), true);
  const [asked, refreshes] = [kms.unwraps.length, directory.refreshes];
  assert.equal(refreshes, 1);
  for (let box = 0; box < 100; box += 1) await keys.refreshed(orders);
  assert.deepEqual([kms.unwraps.length, directory.refreshes], [asked, refreshes]);
  clock.advance(5_000);
  await keys.refreshed(orders);
  assert.deepEqual([kms.unwraps.length, directory.refreshes], [asked, refreshes + 1]);
});

test('many namespaces that start at once do not overrun their KMS, and one with a slow KMS delays no other', async (t) => {
  const { directory, keys, kms, other, clock, bills, get } = await startSite(t);
  const many = Array.from({ length: 300 }, (_, index) => recordOf(`many-${index}`));
  for (const record of many) {
    directory.records.set(record.id, record);
    await ensureNamespaceKeys({ directory, clock, kms }, record);
  }
  kms.mode = 'hanging';
  kms.mostRunning = 0;
  const waiting = many.map(async (record) => await keys.get(record));
  await settle();
  assert.equal((await get(bills)).canSeal, true);
  assert.equal(other.mostRunning <= 16, true);
  kms.mode = 'well';
  kms.release();
  for (const ring of await Promise.all(waiting)) assert.equal(ring.canSeal, true);
  assert.equal(kms.mostRunning, 16);
});

test('a caller goes before the renewals of others', async (t) => {
  const { directory, keys, kms, clock, orders, get } = await startSite(t);
  const many = Array.from({ length: 40 }, (_, index) => recordOf(`many-${index}`));
  for (const record of many) {
    directory.records.set(record.id, record);
    await ensureNamespaceKeys({ directory, clock, kms }, record);
    await keys.get(record);
  }
  clock.advance(4 * MINUTE_MS);
  kms.mode = 'hanging';
  for (const record of many) keys.get(record);
  await settle();
  const before = kms.unwraps.length;
  const waiting = get(orders);
  await settle();
  kms.mode = 'well';
  kms.release();
  await waiting;
  assert.ok(kms.unwraps.slice(before, before + 2).every((words) => words.includes(orders.uuid)));
});

test('keys are renewed while they are used, the keyring stays the same, and unused ones are dropped', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const { keys, kms, clock, orders, get } = await startSite(t);
  const keyring = await get(orders);
  for (let minute = 0; minute < 120; minute += 1) {
    clock.advance(MINUTE_MS);
    t.mock.timers.tick(MINUTE_MS);
    assert.equal(await keys.get(orders), keyring);
    await settle();
  }
  const asked = kms.unwraps.length;
  assert.ok(asked > 40 && asked < 90, `${asked} questions in two hours`);
  clock.advance(HOUR_MS);
  t.mock.timers.tick(MINUTE_MS);
  kms.mode = 'away';
  await assert.rejects(async () => await keys.get(orders), refusalOf('encryption_unavailable'));
});

test('after close nothing is handed out', async (t) => {
  const { keys, orders, get } = await startSite(t);
  await get(orders);
  keys.close();
  assert.throws(() => keys.get(orders), refusalOf('encryption_unavailable'));
});

test('calls under way stop too when a key is disabled or destroyed, and go on when one is rotated', async (t) => {
  const { directory, keys, kms, clock, orders, bills, get, rotate } = await startSite(t);
  const [first, theirs] = await Promise.all([get(orders), get(bills)]);
  await rotate(orders);
  await keys.get(orders);
  await settle();
  assert.notEqual(await get(orders), first);
  assert.equal(first.forgotten, false);
  const second = await get(orders);
  kms.mode = 'disabled';
  clock.advance(4 * MINUTE_MS);
  await keys.get(orders);
  await settle();
  assert.equal(second.forgotten, true);
  await directory.write.destroyNamespaceKeys(bills.id);
  assert.throws(() => keys.get(bills), refusalOf('namespace_erased'));
  assert.equal(theirs.forgotten, true);
});

test('a refusal that nobody waits for any more harms nobody', async (t) => {
  const { keys, kms, orders } = await startSite(t);
  kms.mode = 'away';
  void keys.get(orders);
  await settle();
  assert.throws(() => keys.get(orders), refusalOf('encryption_unavailable'));
});

test('what one replica seals under a rotated key another one opens after asking once, with the real keyring', async (t) => {
  const { keys, directory, clock, kms, orders } = await startSite(t, {
    createKeyring: (scope, held) => createNamespaceKeyring(scope, held),
  });
  const old = await keys.get(orders);
  const box = sealed(old, 'before');
  await rotateNamespaceKey({ directory, clock, kms }, orders, 'payload');
  const other = createNamespaceKeys({
    ...{ directory, clock, region: REGION, log: logLines().log },
    kmsOf: () => kms,
    createKeyring: (scope, held) => createNamespaceKeyring(scope, held),
  });
  t.after(() => other.close());
  const newer = sealed(await other.get(orders), 'after');
  assert.equal((await keys.refreshed(orders)).open('payload', newer)?.toString(), 'after');
  assert.equal((await other.get(orders)).open('payload', box)?.toString(), 'before');
  assert.equal(old.open('payload', newer), undefined);
});

function sealed(keyring: NamespaceKeyring, text: string): Buffer {
  const box = Buffer.alloc(keyring.sealedLength(text.length));
  keyring.sealInto('payload', Buffer.from(text), box, 0);
  return box;
}
