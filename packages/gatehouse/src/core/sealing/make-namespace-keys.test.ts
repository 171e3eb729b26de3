import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UnwrapError } from '#base/crypto/kms';
import { fakeClock, fakeDirectory, fakeKms, recordOf, refusalOf, START_MS } from './keys-fixture.test.ts';
import { ensureNamespaceKeys, rotateNamespaceKey } from './make-namespace-keys.ts';
import { scopeOf, unwrapNamespaceKey, wrappingWords } from './wrapping-words.ts';

const orders = recordOf('orders');

function startSite() {
  const making = { directory: fakeDirectory(orders), clock: fakeClock(), kms: fakeKms('kms-one') };
  return { ...making, making, rows: () => making.directory.namespaceKeys(orders.uuid) };
}

test('a namespace gets one random key of each purpose, wrapped under words that name its row', async () => {
  const { making, kms, rows } = startSite();
  assert.deepEqual(await ensureNamespaceKeys(making, orders), ['payload', 'attribute']);
  assert.deepEqual(await ensureNamespaceKeys(making, orders), []);
  const [payload, attribute] = rows();
  assert.ok(payload !== undefined && attribute !== undefined);
  assert.match(payload.id, /^[0-9a-f]{16}$/);
  assert.notEqual(payload.id, attribute.id);
  assert.deepEqual(kms.wraps, [
    `namespace-key:1:aws-local:acme1:${orders.uuid}:${payload.id}:payload:${START_MS}`,
    `namespace-key:1:aws-local:acme1:${orders.uuid}:${attribute.id}:attribute:${START_MS}`,
  ]);
  const keys = await Promise.all(rows().map((row) => unwrapNamespaceKey(kms, scopeOf(orders), row)));
  assert.equal(keys[0]?.key.length, 32);
  assert.notDeepEqual(keys[0]?.key.reveal(), keys[1]?.key.reveal());
});

test('processes that start at once give a namespace one key of each purpose', async () => {
  const { making, rows } = startSite();
  const given = await Promise.all(Array.from({ length: 8 }, () => ensureNamespaceKeys(making, orders)));
  assert.deepEqual(given.flat().sort(), ['attribute', 'payload']);
  assert.equal(rows().length, 2);
});

test('rotations that run at once add one key, and each of them is told of it', async () => {
  const { making, rows } = startSite();
  await ensureNamespaceKeys(making, orders);
  const rotated = await Promise.all(
    Array.from({ length: 8 }, () => rotateNamespaceKey(making, orders, 'payload')),
  );
  assert.equal(rows().length, 3);
  assert.equal(rotated.filter(({ made }) => made).length, 1);
  for (const { row } of rotated) assert.equal(row, rows().at(-1));
});

test('a newer key is younger than the one that it follows, also by the clock of a replica that is behind', async () => {
  const { making, rows } = startSite();
  await ensureNamespaceKeys(making, orders);
  const behind = { ...making, clock: { ...making.clock, now: () => START_MS - 60_000 } };
  await rotateNamespaceKey(behind, orders, 'payload');
  assert.equal(rows().at(-1)?.createdAtMs, START_MS + 1);
});

test('an erased namespace gets no key again', async () => {
  const { making, directory, rows } = startSite();
  await ensureNamespaceKeys(making, orders);
  await directory.write.destroyNamespaceKeys(orders.id);
  assert.deepEqual(await ensureNamespaceKeys(making, orders), []);
  await assert.rejects(rotateNamespaceKey(making, orders, 'payload'), refusalOf('namespace_erased'));
  assert.equal(rows().length, 2);
});

test('an erasure that runs at once with a rotation wins', async () => {
  const { making, directory, rows } = startSite();
  await ensureNamespaceKeys(making, orders);
  directory.before = async () => {
    directory.before = () => undefined;
    await directory.write.destroyNamespaceKeys(orders.id);
  };
  await assert.rejects(rotateNamespaceKey(making, orders, 'payload'), refusalOf('namespace_erased'));
  assert.ok(rows().every(({ state }) => state === 'destroyed'));
});

test('T-081b a wrapped key in another row, of another purpose, age or namespace does not open', async () => {
  const { making, kms, rows } = startSite();
  await ensureNamespaceKeys(making, orders);
  const [row] = rows();
  assert.ok(row !== undefined);
  const scope = scopeOf(orders);
  const others = [
    [scope, { ...row, id: '0123456789abcdef' }],
    [scope, { ...row, purpose: 'attribute' as const }],
    [scope, { ...row, createdAtMs: row.createdAtMs + 1 }],
    [
      { ...scope, namespaceUuid: 'other' },
      { ...row, namespaceUuid: 'other' },
    ],
    [{ ...scope, namespaceUuid: 'other' }, row],
    [{ ...scope, account: 'acme2' }, row],
    [{ ...scope, region: 'aws-elsewhere' }, row],
  ] as const;
  for (const [place, other] of others) {
    await assert.rejects(unwrapNamespaceKey(kms, place, other), UnwrapError);
    assert.ok(other === row || wrappingWords(place, other) !== wrappingWords(scope, row));
  }
  assert.equal((await unwrapNamespaceKey(kms, scope, row)).id, row.id);
});
