import assert from 'node:assert/strict';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { inspect } from 'node:util';
import { CodecError } from './codec-error.ts';
import { keysFromEnvironment, keysFromFile, keysFromText, wrappedKeys } from './key-sources.ts';
import { openKeyring } from './keyring.ts';

const first = Buffer.alloc(32, 'first-secret');
const second = Buffer.alloc(32, 'second-secret');
const line = (id: string, key: Uint8Array, ...more: string[]) =>
  [id, Buffer.from(key).toString('base64'), ...more].join(' ');

/** What was thrown holds no key, in any form that a log could print. */
async function refused(loading: Promise<unknown>, text: RegExp): Promise<void> {
  const error = await loading.then(
    () => assert.fail('was not refused'),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof CodecError, String(error));
  assert.equal(error.code, 'bad_keys');
  assert.match(error.message, text);
  for (const key of [first, second])
    for (const form of ['base64', 'hex', 'latin1'] as const)
      assert.ok(!inspect(error, { showHidden: true }).includes(key.toString(form)));
}

describe('keys', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'gatehouse-codec-'));
  });
  after(async () => await rm(folder, { recursive: true }));

  test('lines are keys, oldest first; comments and empty lines are none, and ; ends a line as well', async () => {
    const text = `# ours\n\n${line('2026-08', first)} # old\r\n${line('2026-11', second, 'decrypt-only')};\n`;
    assert.deepEqual(await keysFromText(text)(), [
      { id: '2026-08', key: first, decryptOnly: false },
      { id: '2026-11', key: second, decryptOnly: true },
    ]);
    assert.equal((await keysFromText(`${line('a', first)};${line('b', second)}`)()).length, 2);
  });

  test('a line that is none is refused by its number and without its text', async () => {
    const bad = (text: string) => keysFromText(text)();
    await refused(bad(`${line('a', first)}\n${second.toString('base64')}`), /^line 2 of the keys is not/);
    await refused(bad(line('a', first, 'encrypt')), /^line 1/);
    await refused(bad(line('a', first, 'decrypt-only', 'now')), /^line 1/);
    await refused(bad(`a ${first.toString('base64')}!`), /the key "a" is not written in base64/);
  });

  test('a key file is read anew at each load', async () => {
    const path = join(folder, 'codec.keys');
    await writeFile(path, line('a', first), { mode: 0o600 });
    const load = keysFromFile(path);
    assert.equal((await load()).length, 1);
    await writeFile(path, `${line('a', first)}\n${line('b', second)}\n`);
    assert.equal((await load()).length, 2);
  });

  test('T-100 a key file that others may read is refused, unless its group may', async () => {
    const path = join(folder, 'open.keys');
    await writeFile(path, line('a', first));
    for (const [mode, text] of [
      [0o640, /mode 0640/],
      [0o604, /mode 0604/],
      [0o620, /mode 0620/],
    ] as const) {
      await chmod(path, mode);
      await refused(keysFromFile(path)(), text);
    }
    await chmod(path, 0o640);
    assert.equal((await keysFromFile(path, { groupMayRead: true })()).length, 1);
    await chmod(path, 0o660);
    await refused(keysFromFile(path, { groupMayRead: true })(), /mode 0660/);
    await refused(keysFromFile(join(folder, 'none'))(), /none cannot be read \(ENOENT\)/);
  });

  test('keys may come from the environment', async () => {
    process.env['GATEHOUSE_TEST_KEYS'] = line('a', first);
    assert.equal((await keysFromEnvironment('GATEHOUSE_TEST_KEYS')()).length, 1);
    await refused(keysFromEnvironment('GATEHOUSE_TEST_NONE')(), /GATEHOUSE_TEST_NONE holds no keys/);
  });

  test('wrapped keys are unwrapped by whoever can', async () => {
    const asked: string[] = [];
    const unwrap = async (wrapped: string, id: string) => {
      asked.push(`${id} ${wrapped}`);
      return wrapped === 'vault:v1:one' ? first : second;
    };
    const text = 'a vault:v1:one\nb vault:v1:two decrypt-only';
    assert.deepEqual(await wrappedKeys({ text }, unwrap)(), [
      { id: 'a', key: first, decryptOnly: false },
      { id: 'b', key: second, decryptOnly: true },
    ]);
    assert.deepEqual(asked, ['a vault:v1:one', 'b vault:v1:two']);
    const path = join(folder, 'wrapped');
    await writeFile(path, text);
    assert.equal((await wrappedKeys({ path }, unwrap)()).length, 2);
  });

  test('keys that cannot be used are refused before anything is encrypted', async () => {
    const ring = (...keys: { id: string; key: Uint8Array; decryptOnly?: boolean }[]) =>
      openKeyring(async () => keys);
    await refused(ring(), /there is no key/);
    await refused(ring({ id: 'a', key: first.subarray(1) }), /the key "a" is not 32 bytes/);
    await refused(ring({ id: '', key: first }), /a key id is 1 to 200 characters/);
    await refused(ring({ id: 'a', key: first }, { id: 'a', key: second }), /two keys are called "a"/);
    await refused(ring({ id: 'a', key: first, decryptOnly: true }), /one must encrypt/);
  });
});
