import assert from 'node:assert/strict';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { openLocalKms } from '#base/crypto/local-kms';
import { readSealedFile, writeSealedFile } from '#base/crypto/sealed-file';
import { postgres, sqlite, until } from '#testing/directory-databases';
import type { Directory } from './directory.ts';
import { clockAhead, directorySites, namespace, refusedWith } from './directory-fixture.test.ts';
import { makeNamespace } from './namespace-keys-fixture.test.ts';

const HOUR_MS = 3_600_000;

for (const kind of [sqlite, postgres]) {
  describe(`the sealed copy of the directory on ${kind.name}`, () => {
    const fresh = directorySites(kind);

    test('F-05 a start without the database serves from the sealed copy, and follows once it is back', async () => {
      const { close, database, open } = await fresh();
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
      const { close, database, folder, kms, open } = await fresh();
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
      const { close, database, folder, open } = await fresh();
      await close(await open('a'));
      const path = join(folder, 'a.copy');
      const sealed = await readFile(path);
      await database.goAway();
      try {
        await assert.rejects(
          open('a', { clock: clockAhead(25 * HOUR_MS) }),
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
      const { close, folder, lines, open } = await fresh();
      await close(await open('a'));
      await writeFile(join(folder, 'a.copy'), 'garbage');
      const directory = await open('a');
      assert.equal(directory.state(), 'current');
      assert.ok(lines.some((line) => line.includes('sealed copy of the directory cannot be used')));
      await close(directory);
      assert.notEqual(await readFile(join(folder, 'a.copy'), 'latin1'), 'garbage');
    });

    test('a copy of an older version is not used, and hinders no start with the database', async () => {
      const { close, folder, kms, lines, open } = await fresh();
      const directory = await open('a');
      const record = await makeNamespace(directory);
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

    test('no key material is in the database, the sealed copy or the log in clear', async () => {
      const { close, database, folder, lines, open } = await fresh();
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
  });
}
