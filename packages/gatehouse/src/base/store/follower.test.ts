import assert from 'node:assert/strict';
import { copyFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { postgres, sqlite, until } from '#testing/directory-databases';
import { directorySites, namespace, refusedWith } from './directory-fixture.test.ts';

for (const kind of [sqlite, postgres]) {
  describe(`following the directory on ${kind.name}`, () => {
    const fresh = directorySites(kind);

    test('another replica sees a change within a second, told once, with the untouched records the same', async () => {
      const { open } = await fresh();
      const writer = await open('a');
      await writer.write.createAccount('local');
      for (const name of ['aa', 'bb', 'cc']) await writer.write.createNamespace(namespace(`${name}.local`));
      const reader = await open('b');
      const earlier = reader.snapshot().namespaces;
      const told: string[][] = [];
      const end = reader.onChange((snapshot, ids) => {
        assert.equal(snapshot, reader.snapshot());
        told.push([...ids]);
      });
      reader.onChange(() => assert.fail('a listener that fails does not stop the others'));
      const changed = await writer.write.setState('bb.local', 'suspended');
      const seen = (): boolean => reader.snapshot().namespaces.get('bb.local')?.state === 'suspended';
      await until('the change at the other replica', seen, 1_000);
      assert.equal(reader.snapshot().revision, changed.revision);
      assert.deepEqual(told, [['bb.local']]);
      for (const id of ['aa.local', 'cc.local']) {
        assert.equal(reader.snapshot().namespaces.get(id), earlier.get(id));
      }
      assert.equal(earlier.get('bb.local')?.state, 'active', 'an old snapshot stays as it was');
      end();
      await writer.write.deleteNamespace('cc.local');
      await until('the deletion', () => !reader.snapshot().namespaces.has('cc.local'), 1_000);
      assert.equal(told.length, 1, 'told nothing after its end');
    });

    test('F-03 with the database away the snapshot serves, writes are refused, and all recovers', async () => {
      const { database, open } = await fresh();
      const directory = await open('a', { pollMs: 50 });
      await directory.write.createAccount('local');
      await directory.write.createNamespace(namespace('default.local'));
      const record = directory.snapshot().namespaces.get('default.local');
      await database.goAway();
      await until('detached', () => directory.state() === 'detached');
      const refused = directory.write.setState('default.local', 'suspended');
      await assert.rejects(refused, refusedWith('directory_unavailable'));
      assert.equal(directory.snapshot().namespaces.get('default.local'), record);
      const age = directory.snapshotAgeMs();
      await until('the age grows', () => directory.snapshotAgeMs() > age + 20);
      await database.comeBack();
      await until('current again', () => directory.state() === 'current');
      assert.equal(directory.snapshot().namespaces.get('default.local'), record, 'the same object');
      await directory.write.setState('default.local', 'suspended');
      assert.equal(directory.snapshot().namespaces.get('default.local')?.state, 'suspended');
      const other = await open('b');
      await other.write.setState('default.local', 'active');
      const seen = (): boolean => directory.snapshot().namespaces.get('default.local')?.state === 'active';
      await until('a change of another replica after the recovery', seen, 1_000);
    });

    test('F-04 a snapshot older than the ceiling says so, loudly', async () => {
      const { database, lines, open } = await fresh();
      const directory = await open('a', { pollMs: 20, snapshotMaxAgeMs: 300 });
      await database.goAway();
      try {
        await until('expired', () => directory.state() === 'expired');
        await until('the alarm', () => lines.some((line) => line.includes('too old to serve')));
      } finally {
        await database.comeBack();
      }
      await until('current again', () => directory.state() === 'current');
    });

    test('F-03 an older database is never taken: the newer snapshot serves and writes are refused', async () => {
      const { close, database, lines, open } = await fresh();
      const directory = await open('a', { pollMs: 50 });
      await directory.write.createAccount('local');
      await directory.write.createNamespace(namespace('default.local'));
      const { revision } = directory.snapshot();
      // As a replica that lags behind would answer after a failover.
      await database.sql(`update directory_state set revision = ${revision - 1}`);
      await database.sql('delete from namespaces');
      await until('detached', () => directory.state() === 'detached');
      assert.ok(lines.some((line) => line.includes('older than revision') && line.includes('"error"')));
      assert.equal(directory.snapshot().revision, revision);
      assert.ok(directory.snapshot().namespaces.has('default.local'));
      const refused = directory.write.createNamespace(namespace('other.local'));
      await assert.rejects(refused, refusedWith('directory_unavailable'));
      await close(directory);
      // The sealed copy carries the floor over a restart.
      const again = await open('a', { pollMs: 50 });
      assert.equal(again.state(), 'detached');
      assert.ok(again.snapshot().namespaces.has('default.local'));
      // Another history that has gone further is taken whole, not mixed with ours.
      await database.sql(`update directory_state set revision = ${revision + 1}`);
      await until('current', () => again.state() === 'current');
      assert.equal(again.snapshot().namespaces.size, 0);
    });

    test('another directory database than before is not taken', async () => {
      const { database, lines, open } = await fresh();
      const directory = await open('a', { pollMs: 50 });
      await database.sql(`update directory_state set lineage = 'another', revision = revision + 100`);
      await until('detached', () => directory.state() === 'detached');
      assert.ok(lines.some((line) => line.includes('another directory database')));
    });

    test('a database of a newer version is refused in words, at the start and while running', async () => {
      const { database, open } = await fresh();
      const running = await open('a', { pollMs: 50 });
      await database.sql("insert into directory_migrations values (999, 'future', 0)");
      await assert.rejects(open('b'), /schema version 999, this version of Gatehouse knows up to 4: upgrade/);
      await database.sql('update directory_state set revision = revision + 1');
      await until('detached', () => running.state() === 'detached');
      await assert.rejects(running.write.createAccount('local'), refusedWith('directory_unavailable'));
    });

    test('a row that cannot be read closes its namespace and no other', async () => {
      const { database, open } = await fresh();
      const directory = await open('a', { pollMs: 50 });
      await directory.write.createAccount('local');
      await directory.write.createNamespace(namespace('good.local'));
      const { revision } = await directory.write.createNamespace(namespace('bad.local'));
      await database.sql(
        `update namespaces set certificate_filters = '[{"serial":"1"}]', revision = ${revision + 1} where id = 'bad.local'`,
      );
      await database.sql(`update directory_state set revision = ${revision + 1}`);
      await until('closed', () => !directory.snapshot().namespaces.has('bad.local'));
      assert.ok(directory.snapshot().namespaces.has('good.local'));
      assert.equal(directory.state(), 'current');
    });

    if (kind === postgres) {
      test('PostgreSQL tells of changes without a poll, also after its connections broke', async () => {
        const { database, open } = await fresh();
        const patient = { pollMs: 60_000 };
        const [writer, reader] = [await open('a', patient), await open('b', patient)];
        await writer.write.createAccount('local');
        await writer.write.createNamespace(namespace('one.local'));
        await until('the first', () => reader.snapshot().namespaces.has('one.local'), 1_000);
        const others = 'datname = current_database() and pid <> pg_backend_pid()';
        await database.sql(`select pg_terminate_backend(pid) from pg_stat_activity where ${others}`);
        await writer.write.createNamespace(namespace('two.local')).catch(async () => {
          // The pool may have handed out a connection that was just cut.
          await writer.write.createNamespace(namespace('two.local'));
        });
        await until('the second', () => reader.snapshot().namespaces.has('two.local'), 2_000);
      });

      test('F-03 on a read-only database changes are followed and writes are refused', async () => {
        const { close, database, open } = await fresh();
        const directory = await open('a');
        await directory.write.createAccount('local');
        await close(directory);
        const name = (await database.sql('select current_database() as name'))[0] as { name: string };
        await database.sql(`alter database ${name.name} set default_transaction_read_only = on`);
        const reader = await open('a');
        assert.equal(reader.state(), 'current');
        const refused = reader.write.createNamespace(namespace('one.local'));
        await assert.rejects(refused, refusedWith('directory_unavailable'));
        assert.equal(reader.state(), 'current');
      });
    } else {
      test('F-03 a backup put in the place of the running database is noticed and not taken', async () => {
        const { close, folder, lines, open } = await fresh();
        const path = join(folder, 'directory.db');
        await close(await open('other'));
        await copyFile(path, `${path}.backup`);
        const directory = await open('a', { pollMs: 20 });
        await directory.write.createAccount('local');
        // A restore puts the file there without the log of the one before.
        await rm(`${path}-wal`);
        await rename(`${path}.backup`, path);
        await until('detached', () => directory.state() === 'detached');
        await until('why', () => lines.some((line) => line.includes('older than revision')));
        await assert.rejects(directory.write.createAccount('others'), refusedWith('directory_unavailable'));
      });
    }
  });
}
