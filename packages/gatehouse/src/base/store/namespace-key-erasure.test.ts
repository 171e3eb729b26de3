import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { NamespaceRecord } from '#base/model/namespace-record';
import { postgres, sqlite, until } from '#testing/directory-databases';
import type { WrappedNamespaceKey } from './directory.ts';
import { directorySites, refusedWith } from './directory-fixture.test.ts';
import { keyOf, makeNamespace } from './namespace-keys-fixture.test.ts';

for (const kind of [sqlite, postgres]) {
  describe(`erasure of namespace keys on ${kind.name}`, () => {
    const fresh = directorySites(kind);

    test('destroyed keys are wiped in all incarnations, everywhere, for nobody else, and none is made after', async () => {
      const { database, open } = await fresh();
      const [directory, replica] = [await open('a'), await open('b')];
      const { write } = directory;
      const other = await makeNamespace(directory, 'other.local');
      const spared = keyOf(other);
      await write.addNamespaceKeys('other.local', [spared]);
      const first = await makeNamespace(directory);
      await write.addNamespaceKeys('orders.local', [keyOf(first)]);
      await write.deleteNamespace('orders.local');
      assert.deepEqual(directory.namespaceKeys(first.uuid), [], 'keys of a deleted namespace are not held');
      const record = await makeNamespace(directory);
      const keys = [keyOf(record), keyOf(record, { purpose: 'attribute' })];
      await write.addNamespaceKeys('orders.local', keys);
      await until('the keys', () => replica.namespaceKeys(record.uuid).length === 2);
      const told: string[] = [];
      replica.onChange((_, ids) => told.push(...ids));
      assert.equal(await write.destroyNamespaceKeys('orders.local'), 3);
      const tombstones = keys.map((key) => ({ ...key, wrapped: '', state: 'destroyed' as const }));
      assert.deepEqual(directory.namespaceKeys(record.uuid), tombstones);
      await until('the tombstones', () => replica.namespaceKeys(record.uuid)[1]?.wrapped === '', 2_000);
      assert.deepEqual(replica.namespaceKeys(record.uuid), tombstones);
      assert.deepEqual(told, ['orders.local']);
      assert.deepEqual(replica.namespaceKeys(other.uuid), [spared]);
      const rows = await database.sql("select id from namespace_keys where wrapped <> ''");
      assert.deepEqual(
        rows.map((row) => ({ ...(row as object) })),
        [{ id: spared.id }],
      );
      assert.equal(await write.destroyNamespaceKeys('orders.local'), 0);
      const late = write.addNamespaceKeys('orders.local', [keyOf(record)]);
      await assert.rejects(late, refusedWith('namespace_erased'));
    });

    if (kind === sqlite) {
      test('F/T erasure: after a destroy no file of the database holds a trace of the wrapped keys', async () => {
        const { folder, open } = await fresh();
        const [directory, replica] = [await open('a'), await open('b')];
        const records: NamespaceRecord[] = [];
        for (let index = 0; index < 20; index += 1)
          records.push(await makeNamespace(directory, `ns${index}.local`));
        // Every text that a key of the first namespace was ever wrapped in.
        const traces: string[] = [];
        const keys = new Map<string, WrappedNamespaceKey>();
        for (let round = 0; round < 4; round += 1) {
          for (const record of records) {
            const key = keyOf(record, { wrapped: randomBytes(60 + 40 * round).toString('base64') });
            await directory.write.addNamespaceKeys(record.id, [key]);
            keys.set(key.id, key);
          }
          // Longer and shorter than before, so that rows move between the pages.
          for (const key of keys.values()) {
            if (key.namespaceUuid === records[0]?.uuid) traces.push(key.wrapped);
            const wrapped = randomBytes(40 + Math.floor(Math.random() * 500)).toString('base64');
            await directory.write.rewrapNamespaceKey(key.id, key.wrapped, 'vault:two', wrapped);
            keys.set(key.id, { ...key, wrapped });
          }
        }
        for (const key of keys.values()) if (key.namespaceUuid === records[0]?.uuid) traces.push(key.wrapped);
        const seen = async (): Promise<number> => {
          const names = (await readdir(folder)).filter((name) => name.startsWith('directory.db'));
          assert.ok(names.includes('directory.db-wal'));
          const files = await Promise.all(names.map((name) => readFile(join(folder, name), 'latin1')));
          // The head of a text is enough of a trace.
          return traces.filter((trace) => files.some((file) => file.includes(trace.slice(0, 24)))).length;
        };
        assert.ok((await seen()) >= 4, 'before, at least the newest are there');
        assert.equal(await directory.write.destroyNamespaceKeys('ns0.local'), 4);
        assert.equal(await seen(), 0);
        await until('the replica', () => replica.snapshot().revision === directory.snapshot().revision);
        assert.equal(replica.namespaceKeys(records[1]?.uuid ?? '').length, 4);
      });

      test('a destroy whose files could not be wiped says so, and wipes them when it is repeated', async () => {
        const { folder, open } = await fresh();
        const directory = await open('a');
        const record = await makeNamespace(directory);
        const key = keyOf(record);
        await directory.write.addNamespaceKeys('orders.local', [key]);
        // A reader in mid-transaction keeps the log from being cut.
        const { DatabaseSync } = await import('node:sqlite');
        const reader = new DatabaseSync(join(folder, 'directory.db'));
        reader.exec('begin');
        reader.prepare('select count(*) from namespace_keys').get();
        const destroy = directory.write.destroyNamespaceKeys('orders.local');
        await assert.rejects(destroy, refusedWith('directory_unavailable'));
        assert.equal(directory.namespaceKeys(record.uuid)[0]?.state, 'destroyed');
        reader.exec('commit');
        reader.close();
        assert.equal(await directory.write.destroyNamespaceKeys('orders.local'), 0);
        for (const name of await readdir(folder)) {
          if (!name.startsWith('directory.db')) continue;
          assert.equal((await readFile(join(folder, name), 'latin1')).includes(key.wrapped), false, name);
        }
      });
    } else {
      test('F/T erasure: after a destroy the table holds no trace of the wrapped keys', async () => {
        const { database, open } = await fresh();
        const directory = await open('a');
        const record = await makeNamespace(directory);
        const key = keyOf(record);
        await directory.write.addNamespaceKeys('orders.local', [key]);
        const holds = async (): Promise<boolean> => {
          await database.sql('checkpoint');
          const rows = await database.sql(
            "select encode(pg_read_binary_file(pg_relation_filepath('namespace_keys')), 'hex') as bytes",
          );
          const { bytes } = rows[0] as { bytes: string };
          return bytes.includes(Buffer.from(key.wrapped).toString('hex'));
        };
        assert.equal(await holds(), true);
        await directory.write.destroyNamespaceKeys('orders.local');
        assert.equal(await holds(), false);
      });
    }
  });
}
