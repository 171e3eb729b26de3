import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import type { Kms } from '#base/crypto/kms';
import { openLocalKms } from '#base/crypto/local-kms';
import { writeSealedFile } from '#base/crypto/sealed-file';
import type { NamespaceRecord } from '#base/model/namespace-record';
import { Refusal } from '#base/model/refusals';
import { type Clock, systemClock } from '#base/runtime/clock';
import { createLog } from '#base/runtime/log';
import { postgres, sqlite, type TestDatabase, until } from '#testing/directory-databases';
import { migrate, migrations } from './database/migrations.ts';
import { openDatabase } from './database/open-database.ts';
import type { AdminWord, Directory, NewAdminWord, WrappedNamespaceKey } from './directory.ts';
import { type OpenDirectoryOptions, openDirectory } from './open-directory.ts';

const WORD: NewAdminWord = {
  actor: 'operator:command',
  method: 'keys.rotate',
  namespace: 'orders.local',
  outcome: 'ok',
  detail: 'by hand',
};

function refusedWith(code: string, text = ''): (error: unknown) => boolean {
  return (error) => error instanceof Refusal && error.code === code && error.message.includes(text);
}

function keyOf(
  { uuid }: Pick<NamespaceRecord, 'uuid'>,
  more: Partial<WrappedNamespaceKey> = {},
): WrappedNamespaceKey {
  return {
    id: randomBytes(8).toString('hex'),
    namespaceUuid: uuid,
    purpose: 'payload',
    createdAtMs: 1,
    kmsKeyId: 'local:test',
    wrapped: randomBytes(60).toString('base64'),
    state: 'active',
    ...more,
  };
}

for (const kind of [sqlite, postgres]) {
  describe(`namespace keys on ${kind.name}`, () => {
    let folder = '';
    let kms: Kms;
    let database: TestDatabase;
    let lines: string[] = [];
    const opened: Directory[] = [];

    before(() => kind.start());
    after(() => kind.end());
    afterEach(async () => {
      for (const directory of opened.splice(0)) await directory.close();
      await rm(folder, { recursive: true });
    });

    const fresh = async (): Promise<void> => {
      folder = await mkdtemp(join(tmpdir(), 'gatehouse-keys-'));
      kms = await openLocalKms(join(folder, 'kms.key'));
      database = await kind.make(folder);
      lines = [];
    };
    const open = async (replica: string, more: Partial<OpenDirectoryOptions> = {}): Promise<Directory> => {
      const directory = await openDirectory({
        database: database.options,
        kms,
        cachePath: join(folder, `${replica}.copy`),
        clock: systemClock,
        log: createLog({ level: 'debug', write: (line) => lines.push(line) }),
        ...more,
      });
      opened.push(directory);
      return directory;
    };
    const close = async (directory: Directory): Promise<void> => {
      opened.splice(opened.indexOf(directory), 1);
      await directory.close();
    };
    const make = async (directory: Directory, id = 'orders.local'): Promise<NamespaceRecord> => {
      await directory.write.createAccount('local').catch(() => undefined);
      return directory.write.createNamespace({ id, region: 'aws-local', retentionDays: 7 });
    };

    test('keys are in the snapshot when the write returns, in the order of their making, and at other replicas', async () => {
      await fresh();
      const [one, two] = [await open('a'), await open('b')];
      const record = await make(one);
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
      await make(one, 'other.local');
      await one.refresh();
      assert.equal(one.namespaceKeys(record.uuid), held, 'the same list until one of its keys changes');
      assert.deepEqual((await open('c')).namespaceKeys(record.uuid), all);
    });

    test('of two processes that make the next key at once one is refused and finds the other', async () => {
      await fresh();
      const [one, two] = [await open('a'), await open('b')];
      const record = await make(one);
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
      await fresh();
      const { write } = await open('a');
      const earlier = await make(await open('b'));
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
      await fresh();
      const directory = await open('a');
      const { write } = directory;
      const record = await make(directory);
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

    test('destroyed keys are wiped in all incarnations, everywhere, for nobody else, and none is made after', async () => {
      await fresh();
      const [directory, replica] = [await open('a'), await open('b')];
      const { write } = directory;
      const other = await make(directory, 'other.local');
      const spared = keyOf(other);
      await write.addNamespaceKeys('other.local', [spared]);
      const first = await make(directory);
      await write.addNamespaceKeys('orders.local', [keyOf(first)]);
      await write.deleteNamespace('orders.local');
      assert.deepEqual(directory.namespaceKeys(first.uuid), [], 'keys of a deleted namespace are not held');
      const record = await make(directory);
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

    test('F-05 the sealed copy holds the keys, and none of their texts in clear', async () => {
      await fresh();
      const directory = await open('a');
      const record = await make(directory);
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

    test('a copy of an older version is not used, and hinders no start with the database', async () => {
      await fresh();
      const directory = await open('a');
      const record = await make(directory);
      await close(directory);
      const old = {
        format: 1,
        lineage: 'x',
        revision: 1,
        confirmedAtMs: Date.now(),
        namespaces: [],
        tokenKeys: [],
      };
      await writeSealedFile(join(folder, 'a.copy'), kms, 'directory-copy', Buffer.from(JSON.stringify(old)));
      const again = await open('a');
      assert.equal(again.state(), 'current');
      assert.deepEqual(again.snapshot().namespaces.get('orders.local'), record);
      assert.ok(lines.some((line) => line.includes('is of another version of Gatehouse')));
    });

    test('namespaces from before sealing are not sealed, and have no limits of their own; new ones are', async () => {
      await fresh();
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
      assert.equal((await make(directory)).sealing, 'on');
    });

    test('a key row that cannot be read is left out, loudly, and no other', async () => {
      await fresh();
      const directory = await open('a', { pollMs: 50 });
      const record = await make(directory);
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

    test('a word is stored with its change or not at all', async () => {
      await fresh();
      const directory = await open('a');
      const { write, words } = directory;
      const record = await make(directory);
      const key = keyOf(record);
      await write.addNamespaceKeys('orders.local', [key], undefined, WORD);
      await assert.rejects(write.addNamespaceKeys('orders.local', [key], undefined, WORD));
      const missed = await write.rewrapNamespaceKey(key.id, 'other', 'vault:two', 'bmV3', WORD);
      assert.equal(missed, false);
      await write.rewrapNamespaceKey(key.id, key.wrapped, 'vault:two', 'bmV3', {
        ...WORD,
        method: 'keys.rewrap',
      });
      const sealed = { ...WORD, method: 'keys.seal' };
      await write.setEncryption('orders.local', { sealing: 'on' }, undefined, sealed);
      await write.destroyNamespaceKeys('orders.local', { ...WORD, method: 'keys.destroy' });
      await write.leaveWord({ ...WORD, method: 'keys.verify', outcome: 'refused' });
      const bad = { ...WORD, method: '' };
      await assert.rejects(write.leaveWord(bad), refusedWith('input_invalid'));
      const heard: AdminWord[] = [];
      const count = await words.take(async (word) => void heard.push(word));
      assert.equal(count, 5);
      assert.deepEqual(
        heard.map(({ method }) => method),
        ['keys.rotate', 'keys.rewrap', 'keys.seal', 'keys.destroy', 'keys.verify'],
      );
      const { id, atMs, ...word } = heard[0] ?? assert.fail('nothing was heard');
      assert.deepEqual(word, WORD);
      assert.ok(id !== '' && Math.abs(atMs - Date.now()) < 60_000);
      assert.equal(await words.take(async () => assert.fail('a word is heard once')), 0);
    });

    test('of several replicas one hears a word; a handler that fails hears it again', async () => {
      await fresh();
      const replicas = [await open('a', { pollMs: 50 }), await open('b', { pollMs: 50 }), await open('c')];
      const command = await open('command');
      for (let index = 0; index < 10; index += 1) {
        await command.write.leaveWord({ ...WORD, detail: `word ${index}` });
      }
      const heard: string[] = [];
      const taken = await Promise.all(
        replicas.map(({ words }) => words.take(async ({ detail }) => void heard.push(detail))),
      );
      assert.equal(
        taken.reduce((sum, count) => sum + count, 0),
        10,
      );
      assert.equal(new Set(heard).size, 10);
      await command.write.leaveWord(WORD);
      const failing = command.words.take(async () => {
        throw new Error('the chain is full');
      });
      await assert.rejects(failing, /the chain is full/);
      assert.equal(await replicas[0]?.words.take(async () => undefined), 1);
    });

    test('a word that its process died with is heard by another after a minute', async () => {
      await fresh();
      let offset = 0;
      const clock: Clock = {
        now: () => Date.now() + offset,
        monotonicMs: () => performance.now() + offset,
      };
      const directory = await open('a', { clock });
      await directory.write.leaveWord(WORD);
      const dying = Promise.withResolvers<void>();
      const begun = Promise.withResolvers<void>();
      const died = directory.words.take(() => {
        begun.resolve();
        return dying.promise;
      });
      await begun.promise;
      assert.equal(await directory.words.take(async () => undefined), 0);
      offset = 61_000;
      assert.equal(await directory.words.take(async () => undefined), 1);
      dying.resolve();
      await died;
    });

    test('words that wait and words that come are heard by whoever follows, after a failure too', async () => {
      await fresh();
      let offset = 0;
      const clock: Clock = {
        now: () => Date.now() + offset,
        monotonicMs: () => performance.now() + offset,
      };
      const [platform, command] = [await open('a', { clock, pollMs: 50 }), await open('command')];
      await command.write.leaveWord({ ...WORD, detail: 'early' });
      const heard: string[] = [];
      let failures = 1;
      const end = platform.words.follow(async ({ detail }) => {
        if (failures > 0) {
          failures -= 1;
          throw new Error('the disk is full');
        }
        heard.push(detail);
      });
      await until('the failure', () => lines.some((line) => line.includes('the disk is full')));
      offset = 6_000;
      await until('the early word', () => heard.length === 1);
      await command.write.leaveWord({ ...WORD, detail: 'late' });
      await until('the late word', () => heard.length === 2, 2_000);
      assert.deepEqual(heard, ['early', 'late']);
      end();
    });

    if (kind === sqlite) {
      test('F/T erasure: after a destroy no file of the database holds a trace of the wrapped keys', async () => {
        await fresh();
        const [directory, replica] = [await open('a'), await open('b')];
        const records: NamespaceRecord[] = [];
        for (let index = 0; index < 20; index += 1) records.push(await make(directory, `ns${index}.local`));
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
        await fresh();
        const directory = await open('a');
        const record = await make(directory);
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
        await fresh();
        const directory = await open('a');
        const record = await make(directory);
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
