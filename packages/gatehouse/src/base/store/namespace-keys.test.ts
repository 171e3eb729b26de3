import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { postgres, sqlite, until } from '#testing/directory-databases';
import { migrate, migrations } from './database/migrations.ts';
import { openDatabase } from './database/open-database.ts';
import type { Directory, WrappedNamespaceKey } from './directory.ts';
import { directorySites, refusedWith } from './directory-fixture.test.ts';
import { keyOf, makeNamespace } from './namespace-keys-fixture.test.ts';

for (const kind of [sqlite, postgres]) {
  describe(`namespace keys on ${kind.name}`, () => {
    const fresh = directorySites(kind);

    test('keys are in the snapshot when the write returns, in the order of their making, and at other replicas', async () => {
      const { open } = await fresh();
      const [one, two] = [await open('a'), await open('b')];
      const record = await makeNamespace(one);
      const [payload, attribute] = [keyOf(record), keyOf(record, { purpose: 'attribute' })];
      assert.deepEqual(one.namespaceKeys(record.uuid), []);
      await until('the namespace', () => two.snapshot().namespaces.has('orders.local'));
      const told: (readonly string[])[] = [];
      two.onChange((_, ids) => told.push(ids));
      const records = two.snapshot().namespaces;
      await one.write.addNamespaceKeys('orders.local', [payload, attribute]);
      // Made by a clock that is behind: it is the newest all the same.
      const next = keyOf(record, { createdAtMs: 0 });
      await one.write.addNamespaceKeys('orders.local', [next]);
      const all = [payload, attribute, next];
      const held = one.namespaceKeys(record.uuid);
      assert.deepEqual(held, all);
      assert.ok(Object.isFrozen(held) && held.every((key) => Object.isFrozen(key)));
      await until('the keys', () => two.namespaceKeys(record.uuid).length === 3, 1_000 + 1_000);
      assert.deepEqual(two.namespaceKeys(record.uuid), all);
      assert.ok(told.length > 0 && told.flat().every((id) => id === 'orders.local'));
      assert.equal(two.snapshot().namespaces, records, 'the records are as they were');
      await makeNamespace(one, 'other.local');
      await one.refresh();
      assert.equal(one.namespaceKeys(record.uuid), held, 'the same list until one of its keys changes');
      assert.deepEqual((await open('c')).namespaceKeys(record.uuid), all);
    });

    test('of two processes that make the next key at once one is refused and finds the other', async () => {
      const { open } = await fresh();
      const [one, two] = [await open('a'), await open('b')];
      const record = await makeNamespace(one);
      const add = (
        directory: Directory,
        keyId: string,
        purpose: WrappedNamespaceKey['purpose'] = 'payload',
      ) => directory.write.addNamespaceKeys('orders.local', [keyOf(record, { purpose })], { purpose, keyId });
      const both = await Promise.allSettled([add(one, ''), add(two, '')]);
      assert.deepEqual(both.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
      await add(one, '', 'attribute');
      const first = one.namespaceKeys(record.uuid)[0];
      await assert.rejects(add(one, ''), refusedWith('input_invalid', 'newer key'));
      await add(one, first?.id ?? '');
      assert.equal(one.namespaceKeys(record.uuid).length, 3);
    });

    test('keys that are no keys, of no namespace, of another incarnation or with an id in use are refused', async () => {
      const { open } = await fresh();
      const { write } = await open('a');
      const earlier = await makeNamespace(await open('b'));
      await write.deleteNamespace('orders.local');
      const record = await write.createNamespace({
        id: 'orders.local',
        region: 'aws-local',
        retentionDays: 7,
      });
      const add = (...keys: WrappedNamespaceKey[]) => write.addNamespaceKeys('orders.local', keys);
      for (const bad of [
        { id: 'ABCDEFABCDEFABCD' },
        { wrapped: '' },
        { wrapped: 'vault:v1:x' },
        { wrapped: 'A'.repeat(20_000) },
        { kmsKeyId: '' },
        { state: 'destroyed' as const },
        { createdAtMs: Number.NaN },
      ]) {
        await assert.rejects(add(keyOf(record, bad)), refusedWith('input_invalid'), JSON.stringify(bad));
      }
      await assert.rejects(add(), refusedWith('input_invalid'));
      await assert.rejects(add(keyOf(earlier)), refusedWith('input_invalid', 'another incarnation'));
      const key = keyOf(record);
      await add(key);
      await assert.rejects(add(key), refusedWith('input_invalid', 'exists already'));
      const nowhere = write.addNamespaceKeys('none.local', [key]);
      await assert.rejects(nowhere, refusedWith('namespace_unknown'));
      await assert.rejects(write.destroyNamespaceKeys('none.local'), refusedWith('namespace_unknown'));
    });

    test('a key is wrapped anew only where it is what it was', async () => {
      const { open } = await fresh();
      const directory = await open('a');
      const { write } = directory;
      const record = await makeNamespace(directory);
      const [key, other] = [keyOf(record), keyOf(record)];
      await write.addNamespaceKeys('orders.local', [key, other]);
      assert.equal(await write.rewrapNamespaceKey(key.id, key.wrapped, 'vault:two', 'bmV3'), true);
      const after = { ...key, kmsKeyId: 'vault:two', wrapped: 'bmV3' };
      assert.deepEqual(directory.namespaceKeys(record.uuid), [after, other]);
      assert.equal(await write.rewrapNamespaceKey(key.id, key.wrapped, 'vault:three', 'dGhyZWU='), false);
      assert.deepEqual(directory.namespaceKeys(record.uuid), [after, other]);
      await write.destroyNamespaceKeys('orders.local');
      assert.equal(await write.rewrapNamespaceKey(key.id, 'bmV3', 'vault:three', 'dGhyZWU='), false);
    });

    test('F-05 the sealed copy holds the keys, and none of their texts in clear', async () => {
      const { close, database, folder, open } = await fresh();
      const directory = await open('a');
      const record = await makeNamespace(directory);
      const keys = [keyOf(record), keyOf(record, { purpose: 'attribute' })];
      await directory.write.addNamespaceKeys('orders.local', keys);
      await close(directory);
      const copy = await readFile(join(folder, 'a.copy'), 'latin1');
      assert.ok(keys.every(({ wrapped, id }) => !copy.includes(wrapped) && !copy.includes(id)));
      await database.goAway();
      try {
        const alone = await open('a', { pollMs: 50 });
        assert.equal(alone.state(), 'detached');
        assert.deepEqual(alone.namespaceKeys(record.uuid), keys);
        assert.ok(Object.isFrozen(alone.namespaceKeys(record.uuid)[0]));
      } finally {
        await database.comeBack();
      }
    });

    test('namespaces from before sealing are not sealed, and have no limits of their own; new ones are', async () => {
      const { database, open } = await fresh();
      const before = openDatabase(database.options);
      await before.prepare(true);
      await migrate(before.db, {
        mayCreate: true,
        lock: before.lockForMigration,
        nowMs: 1,
        steps: migrations.slice(0, 1),
      });
      await before.close();
      await database.sql("insert into accounts values ('local', 1, 1)");
      await database.sql(`insert into namespaces values ('uuid-1', 'old.local', 'local', 'aws-local', 'active', 7,
        null, '', '[]', 0, '[]', 'relaxed', 1, 1)`);
      const directory = await open('a');
      const old = directory.snapshot().namespaces.get('old.local');
      assert.deepEqual(
        [old?.sealing, old?.sealedAttributes, old?.kmsKey, old?.clientEncryption, old?.plaintextAllowed],
        ['off', [], '', 'off', []],
      );
      assert.deepEqual(old?.limits, {});
      assert.equal((await makeNamespace(directory)).sealing, 'on');
    });

    test('a key row that cannot be read is left out, loudly, and no other', async () => {
      const { database, lines, open } = await fresh();
      const directory = await open('a', { pollMs: 50 });
      const record = await makeNamespace(directory);
      const [bad, good] = [keyOf(record), keyOf(record)];
      await directory.write.addNamespaceKeys('orders.local', [bad, good]);
      const revision = directory.snapshot().revision + 1;
      await database.sql(
        `update namespace_keys set purpose = 'other', revision = ${revision} where id = '${bad.id}'`,
      );
      await database.sql(`update directory_state set revision = ${revision}`);
      await until('left out', () => directory.namespaceKeys(record.uuid).length === 1);
      assert.deepEqual(directory.namespaceKeys(record.uuid), [good]);
      assert.ok(lines.some((line) => line.includes(bad.id) && line.includes('column purpose')));
    });
  });
}
