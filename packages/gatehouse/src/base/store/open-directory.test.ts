import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import type { Kms } from '#base/crypto/kms';
import { openLocalKms } from '#base/crypto/local-kms';
import { readSealedFile, writeSealedFile } from '#base/crypto/sealed-file';
import { Refusal } from '#base/model/refusals';
import { type Clock, systemClock } from '#base/runtime/clock';
import { createLog } from '#base/runtime/log';
import { postgres, sqlite, type TestDatabase, until } from '#testing/directory-databases';
import type { Directory, NewNamespace } from './directory.ts';
import { type OpenDirectoryOptions, openDirectory } from './open-directory.ts';

const HOUR_MS = 3_600_000;

function refusedWith(code: string, text = ''): (error: unknown) => boolean {
  return (error) => error instanceof Refusal && error.code === code && error.message.includes(text);
}

const namespace = (id: string): NewNamespace => ({ id, region: 'aws-local', retentionDays: 7 });
const laterBy = (ms: number): Clock => ({
  now: () => Date.now() + ms,
  monotonicMs: () => performance.now() + ms,
});

for (const kind of [sqlite, postgres]) {
  describe(`the directory on ${kind.name}`, () => {
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
      folder = await mkdtemp(join(tmpdir(), 'gatehouse-store-'));
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

    test('what is written is in the snapshot when the write returns, and after a new start', async () => {
      await fresh();
      const directory = await open('a');
      await directory.write.createAccount('local');
      const made = await directory.write.createNamespace({
        ...namespace('default.local'),
        caBundlePem: 'pem one',
        certificateFilters: [{ commonName: 'worker-*' }],
        nexusEndpoints: ['payments'],
        auditMode: 'strict',
      });
      assert.deepEqual(directory.snapshot().namespaces.get('default.local'), made);
      const { write } = directory;
      await write.setCaBundle('default.local', 'pem two');
      await write.setCertificateFilters('default.local', [{ organization: 'acme' }, { commonName: 'x' }]);
      await write.setState('default.local', 'suspended');
      await write.setTlsPolicy('default.local', { allowTls12: true });
      await write.setNexusEndpoints('default.local', ['billing', 'payments']);
      await write.setEngineId('default.local', 'engine-1');
      await write.setRetentionDays('default.local', 30);
      assert.equal(made.sealing, 'on');
      await write.setEncryption('default.local', { sealedAttributes: ['CustomerId'], kmsKey: 'acme' });
      await write.setEncryption('default.local', {
        sealing: 'migrate',
        clientEncryption: 'require',
        plaintextAllowed: ['memo'],
      });
      await write.setLimits('default.local', { polls: 7, callsPerSecond: 100 });
      const last = await write.setAuditMode('default.local', 'relaxed');
      const expected = {
        id: 'default.local',
        uuid: made.uuid,
        account: 'local',
        region: 'aws-local',
        state: 'suspended',
        retentionDays: 30,
        engineId: 'engine-1',
        caBundlePem: 'pem two',
        certificateFilters: [{ organization: 'acme' }, { commonName: 'x' }],
        allowTls12: true,
        nexusEndpoints: ['billing', 'payments'],
        nexusPeers: [],
        auditMode: 'relaxed',
        sealing: 'migrate',
        sealedAttributes: ['CustomerId'],
        kmsKey: 'acme',
        clientEncryption: 'require',
        plaintextAllowed: ['memo'],
        limits: { callsPerSecond: 100, polls: 7 },
        revision: last.revision,
      };
      assert.deepEqual(directory.snapshot().namespaces.get('default.local'), expected);
      assert.equal(directory.snapshot().revision, last.revision);
      assert.ok(Object.isFrozen(directory.snapshot().namespaces.get('default.local')?.certificateFilters[0]));
      assert.equal(directory.state(), 'current');
      await close(directory);
      assert.deepEqual((await open('b')).snapshot().namespaces.get('default.local'), expected);
    });

    test('Nexus peers only come to those that are known, and must be namespaces', async () => {
      await fresh();
      const directory = await open('a');
      const { write } = directory;
      await write.createAccount('local');
      const made = [];
      for (const id of ['caller.local', 'first.local', 'second.local']) {
        made.push(await write.createNamespace(namespace(id)));
      }
      const [, first, second] = made.map(({ uuid }) => uuid);
      assert.ok(first !== undefined && second !== undefined);
      await write.addNexusPeers('caller.local', [first]);
      await write.setNexusEndpoints('caller.local', []);
      await write.addNexusPeers('caller.local', [second, first]);
      const peers = () => directory.snapshot().namespaces.get('caller.local')?.nexusPeers;
      assert.deepEqual(peers(), [first, second]);
      await assert.rejects(write.addNexusPeers('caller.local', ['nobody']), refusedWith('input_invalid'));
      await assert.rejects(write.addNexusPeers('nobody.local', [first]), refusedWith('namespace_unknown'));
      await write.deleteNamespace('first.local');
      assert.deepEqual(peers(), [first, second]);
    });

    test('bad input, a missing account, a name in use and a stale revision are refused in words', async () => {
      await fresh();
      const { write, snapshot } = await open('a');
      await assert.rejects(write.createAccount('no'), refusedWith('input_invalid', '5 to 32'));
      await assert.rejects(
        write.createNamespace(namespace('default.nobody')),
        refusedWith('input_invalid', 'account does not exist'),
      );
      await write.createAccount('local');
      await assert.rejects(write.createAccount('local'), refusedWith('input_invalid', 'exists already'));
      const made = await write.createNamespace(namespace('default.local'));
      const again = write.createNamespace(namespace('default.local'));
      await assert.rejects(again, refusedWith('input_invalid', 'exists already'));
      for (const bad of [
        { ...namespace('nodot') },
        { ...namespace('other.local'), retentionDays: 0 },
        { ...namespace('other.local'), retentionDays: 91 },
        { ...namespace('other.local'), region: 'No Region' },
        { ...namespace('other.local'), caBundlePem: 'x\0' },
        { ...namespace('other.local'), caBundlePem: 'x'.repeat(70_000) },
        { ...namespace('other.local'), certificateFilters: [{}] },
        { ...namespace('other.local'), sealedAttributes: ['A', 'A'] },
        { ...namespace('other.local'), plaintextAllowed: [''] },
        { ...namespace('other.local'), limits: { polls: 0 } },
        { ...namespace('other.local'), limits: { callsPerSecond: 1.5 } },
        { ...namespace('other.local'), limits: { pollers: 1 } as object },
      ]) {
        await assert.rejects(write.createNamespace(bad), refusedWith('input_invalid'));
      }
      await write.setRetentionDays('default.local', 8, made.revision);
      const stale = write.setRetentionDays('default.local', 9, made.revision);
      await assert.rejects(stale, refusedWith('input_invalid', 'changed since it was read'));
      await assert.rejects(write.setState('none.local', 'active'), refusedWith('namespace_unknown'));
      assert.equal(snapshot().namespaces.get('default.local')?.retentionDays, 8);
      assert.equal(snapshot().revision, 4 /* token key, account, namespace, retention */);
    });

    test("the caller's own checks run before anything is written", async () => {
      await fresh();
      const { write } = await open('a', {
        checks: {
          caBundle: (pem) => assert.notEqual(pem, 'not a bundle'),
          certificateFilters: (filters) => assert.ok(filters.every((each) => each.commonName !== '**')),
        },
      });
      await write.createAccount('local');
      await write.createNamespace(namespace('default.local'));
      await assert.rejects(write.setCaBundle('default.local', 'not a bundle'), assert.AssertionError);
      const filters = write.setCertificateFilters('default.local', [{ commonName: '**' }]);
      await assert.rejects(filters, assert.AssertionError);
    });

    test('T-054 a namespace deleted and made again has another uuid, and the tombstone stays', async () => {
      await fresh();
      const directory = await open('a');
      const other = await open('b');
      await directory.write.createAccount('local');
      const first = await directory.write.createNamespace(namespace('default.local'));
      await directory.write.setEngineId('default.local', 'engine-1');
      await directory.write.deleteNamespace('default.local');
      assert.equal(directory.snapshot().namespaces.has('default.local'), false);
      await assert.rejects(
        directory.write.setEngineId('default.local', 'engine-1'),
        refusedWith('namespace_unknown'),
      );
      const second = await directory.write.createNamespace(namespace('default.local'));
      assert.notEqual(second.uuid, first.uuid);
      assert.equal(second.engineId, null);
      await until('the other replica', () => other.snapshot().revision === directory.snapshot().revision);
      assert.equal(other.snapshot().namespaces.get('default.local')?.uuid, second.uuid);
      const rows = await database.sql('select uuid, state from namespaces order by revision');
      assert.deepEqual(
        rows.map((row) => ({ ...(row as object) })),
        [
          { uuid: first.uuid, state: 'deleted' },
          { uuid: second.uuid, state: 'active' },
        ],
      );
    });

    test('another replica sees a change within a second, told once, with the untouched records the same', async () => {
      await fresh();
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

    test('of creates at once from two replicas exactly one wins, and no revision is given twice', async () => {
      await fresh();
      const [one, two] = await Promise.all([open('a'), open('b')]);
      await one.write.createAccount('local');
      const attempts = Array.from({ length: 8 }, (_, index) =>
        (index % 2 === 0 ? one : two).write.createNamespace(namespace('race.local')),
      );
      const results = await Promise.allSettled(attempts);
      assert.equal(results.filter((each) => each.status === 'fulfilled').length, 1);
      for (const each of results) {
        if (each.status === 'rejected')
          assert.ok(refusedWith('input_invalid', 'exists already')(each.reason));
      }
      const many = await Promise.all(
        Array.from({ length: 20 }, (_, index) =>
          (index % 2 === 0 ? one : two).write.createNamespace(namespace(`ns${index}.local`)),
        ),
      );
      assert.equal(new Set(many.map((record) => record.revision)).size, 20);
      const seesAll = (each: Directory): boolean => each.snapshot().namespaces.size === 21;
      await until('both see all', () => seesAll(one) && seesAll(two));
    });

    test('processes that open a new directory at once make one schema and one token key', async () => {
      await fresh();
      const directories = await Promise.all(['a', 'b', 'c', 'd'].map((replica) => open(replica)));
      const mac = directories[0]?.tokenKeys().mac(1, [Buffer.of(1)]) ?? Buffer.of();
      for (const each of directories) {
        assert.equal(each.tokenKeys().current.id, 1);
        assert.equal(each.tokenKeys().verify(1, [Buffer.of(1)], mac), true);
      }
      assert.equal((await database.sql('select id from token_keys')).length, 1);
      assert.equal((await database.sql('select version from directory_migrations')).length, 4);
    });

    test('F-03 with the database away the snapshot serves, writes are refused, and all recovers', async () => {
      await fresh();
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
      await fresh();
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

    test('F-05 a start without the database serves from the sealed copy, and follows once it is back', async () => {
      await fresh();
      const before = await open('a');
      await before.write.createAccount('local');
      const made = await before.write.createNamespace(namespace('default.local'));
      const mac = before.tokenKeys().mac(1, [Buffer.of(7)]);
      await close(before);
      await database.goAway();
      let directory: Directory;
      try {
        directory = await open('a', { pollMs: 50 });
        assert.equal(directory.state(), 'detached');
        assert.deepEqual(directory.snapshot().namespaces.get('default.local'), made);
        assert.equal(directory.tokenKeys().verify(1, [Buffer.of(7)], mac), true);
        const refused = directory.write.deleteNamespace('default.local');
        await assert.rejects(refused, refusedWith('directory_unavailable'));
        await assert.rejects(open('no-copy'), /cannot be used.*there is no sealed copy.*Bring the database/);
      } finally {
        await database.comeBack();
      }
      await until('current', () => directory.state() === 'current');
      await directory.write.setRetentionDays('default.local', 9);
    });

    test('F-05 a sealed copy from before there were limits serves after an upgrade', async () => {
      await fresh();
      const before = await open('a');
      await before.write.createAccount('local');
      const { limits, ...made } = await before.write.createNamespace(namespace('default.local'));
      assert.deepEqual(limits, {});
      await close(before);
      const path = join(folder, 'a.copy');
      const bytes = await readSealedFile(path, kms, 'directory-copy');
      const copy = JSON.parse(String(bytes));
      const old = { ...copy, format: 2, namespaces: [made] };
      await writeSealedFile(path, kms, 'directory-copy', Buffer.from(JSON.stringify(old)));
      await database.goAway();
      try {
        const directory = await open('a', { pollMs: 50 });
        assert.deepEqual(directory.snapshot().namespaces.get('default.local'), { ...made, limits });
      } finally {
        await database.comeBack();
      }
    });

    test('F-05 a sealed copy that is too old, changed, or of another key does not serve', async () => {
      await fresh();
      await close(await open('a'));
      const path = join(folder, 'a.copy');
      const sealed = await readFile(path);
      await database.goAway();
      try {
        await assert.rejects(
          open('a', { clock: laterBy(25 * HOUR_MS) }),
          /too old \(25\.0 h; at most 24\.0 h/,
        );
        sealed[sealed.length - 20] = (sealed[sealed.length - 20] ?? 0) ^ 1;
        await writeFile(path, sealed);
        await assert.rejects(open('a'), /a\.copy was changed after it was sealed/);
        await writeFile(path, sealed.subarray(0, 6));
        await assert.rejects(open('a'), /a\.copy is cut short/);
        const other = await openLocalKms(join(folder, 'other.key'));
        await rm(path);
        await assert.rejects(open('a', { kms: other }), /there is no sealed copy/);
      } finally {
        await database.comeBack();
      }
    });

    test('a changed sealed copy does not hinder a start with the database, and is written anew', async () => {
      await fresh();
      await close(await open('a'));
      await writeFile(join(folder, 'a.copy'), 'garbage');
      const directory = await open('a');
      assert.equal(directory.state(), 'current');
      assert.ok(lines.some((line) => line.includes('sealed copy of the directory cannot be used')));
      await close(directory);
      assert.notEqual(await readFile(join(folder, 'a.copy'), 'latin1'), 'garbage');
    });

    test('F-03 an older database is never taken: the newer snapshot serves and writes are refused', async () => {
      await fresh();
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
      await fresh();
      const directory = await open('a', { pollMs: 50 });
      await database.sql(`update directory_state set lineage = 'another', revision = revision + 100`);
      await until('detached', () => directory.state() === 'detached');
      assert.ok(lines.some((line) => line.includes('another directory database')));
    });

    test('a database of a newer version is refused in words, at the start and while running', async () => {
      await fresh();
      const running = await open('a', { pollMs: 50 });
      await database.sql("insert into directory_migrations values (999, 'future', 0)");
      await assert.rejects(open('b'), /schema version 999, this version of Gatehouse knows up to 4: upgrade/);
      await database.sql('update directory_state set revision = revision + 1');
      await until('detached', () => running.state() === 'detached');
      await assert.rejects(running.write.createAccount('local'), refusedWith('directory_unavailable'));
    });

    test('a row that cannot be read closes its namespace and no other', async () => {
      await fresh();
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

    test('token keys are rotated once by whoever notices, used a lead later, and dropped after their grace', async () => {
      await fresh();
      let offset = 0;
      const clock: Clock = {
        now: () => Date.now() + offset,
        monotonicMs: () => performance.now() + offset,
      };
      const times = { rotateMs: HOUR_MS, activateAfterMs: HOUR_MS, graceMs: 3 * HOUR_MS };
      const more = { clock, tokenKeys: times, pollMs: 50 };
      const [one, two] = await Promise.all([open('a', more), open('b', more)]);
      const knows = (id: number) => () => [one, two].every((each) => each.tokenKeys().byId(id) !== undefined);
      const mac = one.tokenKeys().mac(1, [Buffer.of(1)]);
      offset = HOUR_MS + 1;
      await until('key 2 everywhere', knows(2));
      assert.equal(one.tokenKeys().current.id, 1);
      offset = 2 * HOUR_MS + 2_000;
      await until('key 3 everywhere', knows(3));
      assert.equal(one.tokenKeys().current.id, 2);
      assert.equal(two.tokenKeys().verify(1, [Buffer.of(1)], mac), true);
      offset = 9 * HOUR_MS;
      await until('key 4 everywhere', knows(4));
      assert.equal(two.tokenKeys().verify(1, [Buffer.of(1)], mac), false);
      const rows = await database.sql('select id from token_keys order by id');
      assert.deepEqual(
        rows.map((row) => (row as { id: number }).id),
        [3, 4],
      );
    });

    test('a directory made with another KMS key is refused with what is needed', async () => {
      await fresh();
      await close(await open('a'));
      const other = await openLocalKms(join(folder, 'other.key'));
      await assert.rejects(open('b', { kms: other }), /use the KMS key that the directory was made with/);
      assert.ok(lines.some((line) => line.includes(kms.keyId) && line.includes(other.keyId)));
    });

    test('a token key moved to another row does not open', async () => {
      await fresh();
      await close(await open('a'));
      await database.sql('update token_keys set id = 2');
      await assert.rejects(open('b'), /no usable token-binding key/);
    });

    test('no key material is in the database, the sealed copy or the log in clear', async () => {
      await fresh();
      const directory = await open('a');
      await directory.write.createAccount('canary');
      await close(directory);
      const copy = await readFile(join(folder, 'a.copy'), 'latin1');
      assert.equal(copy.includes('canary') || copy.includes('lineage'), false);
      const secrets = 'connection' in database.options ? database.options.connection.password : undefined;
      if (secrets !== undefined) {
        assert.equal(lines.join('').includes(secrets.reveal().toString()), false);
      }
    });

    if (kind === postgres) {
      test('PostgreSQL tells of changes without a poll, also after its connections broke', async () => {
        await fresh();
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
        await fresh();
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
      test('the files of a SQLite directory are for this user only', async () => {
        await fresh();
        await open('a');
        const names = (await readdir(folder)).filter((name) => name.startsWith('directory.db'));
        assert.deepEqual(names, ['directory.db', 'directory.db-shm', 'directory.db-wal']);
        for (const name of names) assert.equal((await stat(join(folder, name))).mode & 0o777, 0o600);
      });

      test('F-03 a backup put in the place of the running database is noticed and not taken', async () => {
        await fresh();
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

    test('F-13 a writer killed at any moment leaves a directory that opens, with all it acknowledged', async () => {
      await fresh();
      const watcher = await open('watcher');
      await watcher.write.createAccount('local');
      const acknowledged = new Set<string>();
      for (let round = 0; round < kind.killRounds; round += 1) {
        const child = spawnWriter(round);
        const exited = once(child, 'exit');
        const killAfter = 1 + Math.floor(Math.random() * 25);
        for await (const chunk of child.stdout) {
          for (const id of String(chunk).split('\n')) if (id !== '') acknowledged.add(id);
          if (acknowledged.size >= killAfter + round) child.kill('SIGKILL');
        }
        await exited;
        assert.equal(child.signalCode, 'SIGKILL');
      }
      const directory = await open('writer');
      assert.equal(directory.state(), 'current');
      for (const id of acknowledged) assert.ok(directory.snapshot().namespaces.has(id), id);
      await directory.write.createNamespace(namespace('after.local'));
      await until('the watcher', () => watcher.snapshot().revision === directory.snapshot().revision);
      assert.deepEqual(watcher.snapshot().namespaces, directory.snapshot().namespaces);
    });

    function spawnWriter(round: number) {
      const plain = JSON.stringify(database.plain);
      const source = `
        import { openDirectory } from ${JSON.stringify(import.meta.resolve('./open-directory.ts'))};
        import { openLocalKms } from ${JSON.stringify(import.meta.resolve('#base/crypto/local-kms'))};
        import { Secret } from ${JSON.stringify(import.meta.resolve('#base/crypto/secret'))};
        import { silentLog } from ${JSON.stringify(import.meta.resolve('#base/runtime/log'))};
        import { systemClock } from ${JSON.stringify(import.meta.resolve('#base/runtime/clock'))};
        const plain = JSON.parse(process.env.GATEHOUSE_TEST_DATABASE);
        const database = plain.url ? { ...plain, url: new Secret(Buffer.from(plain.url)) } : plain;
        const kms = await openLocalKms(${JSON.stringify(join(folder, 'kms.key'))});
        const cachePath = ${JSON.stringify(join(folder, 'writer.copy'))};
        const directory = await openDirectory({ database, kms, cachePath, clock: systemClock, log: silentLog });
        for (let index = 0; ; index += 1) {
          const id = 'w${round}-' + index + '.local';
          await directory.write.createNamespace({ id, region: 'aws-local', retentionDays: 1 });
          process.stdout.write(id + '\\n');
        }`;
      return spawn(process.execPath, ['--conditions=source', '--input-type=module', '-e', source], {
        stdio: ['ignore', 'pipe', 'inherit'],
        env: { ...process.env, GATEHOUSE_TEST_DATABASE: plain },
      });
    }
  });
}
