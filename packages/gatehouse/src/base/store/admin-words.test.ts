import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { postgres, sqlite, until } from '#testing/directory-databases';
import type { AdminWord, NewAdminWord } from './directory.ts';
import { clockAhead, directorySites, refusedWith } from './directory-fixture.test.ts';
import { keyOf, makeNamespace } from './namespace-keys-fixture.test.ts';

const WORD: NewAdminWord = {
  actor: 'operator:command',
  method: 'keys.rotate',
  namespace: 'orders.local',
  outcome: 'ok',
  detail: 'by hand',
};

for (const kind of [sqlite, postgres]) {
  describe(`words of commands on ${kind.name}`, () => {
    const fresh = directorySites(kind);

    test('a word is stored with its change or not at all', async () => {
      const { open } = await fresh();
      const directory = await open('a');
      const { write, words } = directory;
      const record = await makeNamespace(directory);
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
      const { open } = await fresh();
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
      const { open } = await fresh();
      const clock = clockAhead();
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
      clock.aheadMs = 61_000;
      assert.equal(await directory.words.take(async () => undefined), 1);
      dying.resolve();
      await died;
    });

    test('words that wait and words that come are heard by whoever follows, after a failure too', async () => {
      const { lines, open } = await fresh();
      const clock = clockAhead();
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
      clock.aheadMs = 6_000;
      await until('the early word', () => heard.length === 1);
      await command.write.leaveWord({ ...WORD, detail: 'late' });
      await until('the late word', () => heard.length === 2, 2_000);
      assert.deepEqual(heard, ['early', 'late']);
      end();
    });
  });
}
