import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UnwrapError } from '#base/crypto/kms';
import {
  createFakeKeyring,
  type FakeKms,
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
import { rewrapNamespaceKeys } from './rewrap-namespace-keys.ts';
import { scopeOf, unwrapNamespaceKey } from './wrapping-words.ts';

const orders = recordOf('orders');

/** Four keys, all wrapped by the old KMS key. */
async function startSite() {
  const [oldKms, newKms] = [fakeKms('kms-old'), fakeKms('kms-new')];
  const kmsOf = (id: string): FakeKms | undefined => [oldKms, newKms].find(({ keyId }) => keyId === id);
  const directory = fakeDirectory(orders);
  const clock = fakeClock();
  const making = { directory, clock, kms: oldKms };
  await ensureNamespaceKeys(making, orders);
  await rotateNamespaceKey(making, orders, 'payload');
  await rotateNamespaceKey(making, orders, 'payload');
  const rows = () => directory.namespaceKeys(orders.uuid);
  return {
    ...{ directory, clock, oldKms, newKms, kmsOf, making, rows },
    rewrapping: { directory, kmsOf, newKms },
    bytes: async () =>
      await Promise.all(
        rows().map(async (row) => {
          const kms = kmsOf(row.kmsKeyId);
          assert.ok(kms !== undefined);
          return (await unwrapNamespaceKey(kms, scopeOf(orders), row)).key.reveal().toString('hex');
        }),
      ),
  };
}

test('T-081a every key is wrapped anew and stays the same key, and the old KMS key is not needed any more', async () => {
  const { rewrapping, rows, bytes, oldKms } = await startSite();
  const before = await bytes();
  const seen: string[] = [];
  const count = await rewrapNamespaceKeys({ ...rewrapping, onRow: ({ id }) => seen.push(id) }, orders);
  assert.equal(count, 4);
  assert.deepEqual(
    seen,
    rows().map(({ id }) => id),
  );
  assert.ok(rows().every(({ kmsKeyId }) => kmsKeyId === 'kms-new'));
  oldKms.mode = 'disabled';
  assert.deepEqual(await bytes(), before);
  assert.equal(await rewrapNamespaceKeys(rewrapping, orders), 0);
});

test('T-081a no call fails while keys are wrapped anew, on a replica that was running and on one that starts then', async (t) => {
  const { rewrapping, directory, clock, kmsOf, rows, oldKms } = await startSite();
  const start = () => {
    const keys = createNamespaceKeys({
      ...{ directory, clock, kmsOf, region: REGION, log: logLines().log },
      createKeyring: createFakeKeyring,
    });
    t.after(() => keys.close());
    return keys;
  };
  const running = start();
  const keyring = await running.get(orders);
  const ask = async (): Promise<void> => {
    assert.equal(await running.get(orders), keyring);
    const fresh = await start().get(orders);
    for (const { id } of rows()) assert.equal(fresh.hasKey(id), true);
  };
  directory.before = ask;
  await rewrapNamespaceKeys(rewrapping, orders);
  directory.before = () => undefined;
  await ask();
  oldKms.mode = 'disabled';
  await ask();
  clock.advance(3_600_000);
  assert.equal((await running.get(orders)).canSeal, true);
});

for (const when of ['before', 'after'] as const) {
  for (let step = 0; step < 4; step += 1) {
    test(`T-081a a crash ${when} write ${step + 1} leaves every key readable, and the next run ends the work`, async () => {
      const { rewrapping, directory, rows, bytes } = await startSite();
      const keys = await bytes();
      const { write } = directory;
      let writes = 0;
      const crashing = {
        ...directory,
        write: {
          ...write,
          async rewrapNamespaceKey(...row: Parameters<typeof write.rewrapNamespaceKey>) {
            writes += 1;
            if (writes - 1 !== step) return await write.rewrapNamespaceKey(...row);
            if (when === 'after') await write.rewrapNamespaceKey(...row);
            throw new Error('crash');
          },
        },
      };
      await assert.rejects(rewrapNamespaceKeys({ ...rewrapping, directory: crashing }, orders), /crash/);
      assert.equal(
        rows().filter(({ kmsKeyId }) => kmsKeyId === 'kms-new').length,
        step + (when === 'after' ? 1 : 0),
      );
      assert.deepEqual(await bytes(), keys);
      await rewrapNamespaceKeys(rewrapping, orders);
      assert.ok(rows().every(({ kmsKeyId }) => kmsKeyId === 'kms-new'));
      assert.deepEqual(await bytes(), keys);
    });
  }
}

test('T-081a a key that is added meanwhile under the old KMS key is not lost and is wrapped anew too', async () => {
  const { rewrapping, directory, making, rows, bytes } = await startSite();
  let added: string | undefined;
  directory.before = async (write) => {
    if (write !== 'rewrap' || added !== undefined) return;
    added = '';
    added = (await rotateNamespaceKey(making, orders, 'payload')).row.id;
  };
  assert.equal(await rewrapNamespaceKeys(rewrapping, orders), 5);
  assert.equal(rows().at(-1)?.id, added);
  assert.ok(rows().every(({ kmsKeyId }) => kmsKeyId === 'kms-new'));
  assert.equal((await bytes()).length, 5);
});

test('two that wrap anew at once both come to their end', async () => {
  const { rewrapping, rows, bytes } = await startSite();
  const keys = await bytes();
  await Promise.all([rewrapNamespaceKeys(rewrapping, orders), rewrapNamespaceKeys(rewrapping, orders)]);
  assert.ok(rows().every(({ kmsKeyId }) => kmsKeyId === 'kms-new'));
  assert.deepEqual(await bytes(), keys);
});

test('keys that are destroyed meanwhile stay destroyed', async () => {
  const { rewrapping, directory, rows } = await startSite();
  directory.before = async () => {
    await directory.write.destroyNamespaceKeys(orders.id);
  };
  assert.equal(await rewrapNamespaceKeys(rewrapping, orders), 0);
  assert.ok(rows().every(({ state, wrapped }) => state === 'destroyed' && wrapped === ''));
});

test('a new KMS key that does not give back what it wrapped changes nothing', async () => {
  const { rewrapping, newKms, rows } = await startSite();
  const before = rows();
  const broken = { ...newKms, unwrap: () => Promise.reject(new UnwrapError()) };
  await assert.rejects(rewrapNamespaceKeys({ ...rewrapping, newKms: broken }, orders), UnwrapError);
  assert.equal(rows(), before);
});

test('a row whose KMS key is not configured is named, and the rest is left for the next run', async () => {
  const { rewrapping, rows } = await startSite();
  const { newKms } = rewrapping;
  const kmsOf = () => undefined;
  await assert.rejects(rewrapNamespaceKeys({ ...rewrapping, kmsOf, newKms }, orders), (error) => {
    assert.ok(refusalOf('input_invalid')(error));
    assert.match(
      String(error),
      new RegExp(`key ${rows()[0]?.id} is wrapped by kms-old, which is not configured`),
    );
    return true;
  });
});

test('a KMS key that was rotated in its KMS wraps anew on demand what it wrapped before', async () => {
  const { rewrapping, rows, bytes } = await startSite();
  await rewrapNamespaceKeys(rewrapping, orders);
  const keys = await bytes();
  assert.equal(await rewrapNamespaceKeys({ ...rewrapping, again: true }, orders), 4);
  assert.equal(rows().length, 4);
  assert.deepEqual(await bytes(), keys);
});
