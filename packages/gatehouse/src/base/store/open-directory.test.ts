import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { openLocalKms } from '#base/crypto/local-kms';
import { postgres, sqlite, until } from '#testing/directory-databases';
import type { Directory } from './directory.ts';
import {
  clockAhead,
  type DirectorySite,
  directorySites,
  namespace,
  refusedWith,
} from './directory-fixture.test.ts';

const HOUR_MS = 3_600_000;

for (const kind of [sqlite, postgres]) {
  describe(`the directory on ${kind.name}`, () => {
    const fresh = directorySites(kind);

    test('T-054 a namespace deleted and made again has another uuid, and the tombstone stays', async () => {
      const { database, open } = await fresh();
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

    test('of creates at once from two replicas exactly one wins, and no revision is given twice', async () => {
      const { open } = await fresh();
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
      const { database, open } = await fresh();
      const directories = await Promise.all(['a', 'b', 'c', 'd'].map((replica) => open(replica)));
      const mac = directories[0]?.tokenKeys().mac(1, [Buffer.of(1)]) ?? Buffer.of();
      for (const each of directories) {
        assert.equal(each.tokenKeys().current.id, 1);
        assert.equal(each.tokenKeys().verify(1, [Buffer.of(1)], mac), true);
      }
      assert.equal((await database.sql('select id from token_keys')).length, 1);
      assert.equal((await database.sql('select version from directory_migrations')).length, 4);
    });

    test('token keys are rotated once by whoever notices, used a lead later, and dropped after their grace', async () => {
      const { database, open } = await fresh();
      const clock = clockAhead();
      const times = { rotateMs: HOUR_MS, activateAfterMs: HOUR_MS, graceMs: 3 * HOUR_MS };
      const more = { clock, tokenKeys: times, pollMs: 50 };
      const [one, two] = await Promise.all([open('a', more), open('b', more)]);
      const knows = (id: number) => () => [one, two].every((each) => each.tokenKeys().byId(id) !== undefined);
      const mac = one.tokenKeys().mac(1, [Buffer.of(1)]);
      clock.aheadMs = HOUR_MS + 1;
      await until('key 2 everywhere', knows(2));
      assert.equal(one.tokenKeys().current.id, 1);
      clock.aheadMs = 2 * HOUR_MS + 2_000;
      await until('key 3 everywhere', knows(3));
      assert.equal(one.tokenKeys().current.id, 2);
      assert.equal(two.tokenKeys().verify(1, [Buffer.of(1)], mac), true);
      clock.aheadMs = 9 * HOUR_MS;
      await until('key 4 everywhere', knows(4));
      assert.equal(two.tokenKeys().verify(1, [Buffer.of(1)], mac), false);
      const rows = await database.sql('select id from token_keys order by id');
      assert.deepEqual(
        rows.map((row) => (row as { id: number }).id),
        [3, 4],
      );
    });

    test('a directory made with another KMS key is refused with what is needed', async () => {
      const { close, folder, kms, lines, open } = await fresh();
      await close(await open('a'));
      const other = await openLocalKms(join(folder, 'other.key'));
      await assert.rejects(open('b', { kms: other }), /use the KMS key that the directory was made with/);
      assert.ok(lines.some((line) => line.includes(kms.keyId) && line.includes(other.keyId)));
    });

    test('a token key moved to another row does not open', async () => {
      const { close, database, open } = await fresh();
      await close(await open('a'));
      await database.sql('update token_keys set id = 2');
      await assert.rejects(open('b'), /no usable token-binding key/);
    });

    if (kind === sqlite) {
      test('the files of a SQLite directory are for this user only', async () => {
        const { folder, open } = await fresh();
        await open('a');
        const names = (await readdir(folder)).filter((name) => name.startsWith('directory.db'));
        assert.deepEqual(names, ['directory.db', 'directory.db-shm', 'directory.db-wal']);
        for (const name of names) assert.equal((await stat(join(folder, name))).mode & 0o777, 0o600);
      });
    }

    test('F-13 a writer killed at any moment leaves a directory that opens, with all it acknowledged', async () => {
      const site = await fresh();
      const { open } = site;
      const watcher = await open('watcher');
      await watcher.write.createAccount('local');
      const acknowledged = new Set<string>();
      for (let round = 0; round < kind.killRounds; round += 1) {
        const child = spawnWriter(site, round);
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
  });
}

function spawnWriter({ database, folder }: DirectorySite, round: number) {
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
