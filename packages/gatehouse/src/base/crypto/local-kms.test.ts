import assert from 'node:assert/strict';
import { chmod, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { UnwrapError } from './kms.ts';
import { openLocalKms } from './local-kms.ts';
import { Secret } from './secret.ts';

let folder = '';
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gatehouse-kms-'));
});
after(() => rm(folder, { recursive: true }));

test('a missing key file is made with mode 0600 and 32 bytes, and nothing else is left behind', async () => {
  const path = join(folder, 'new.key');
  const kms = await openLocalKms(path);
  const { mode, size } = await stat(path);
  assert.equal(mode & 0o777, 0o600);
  assert.equal(size, 32);
  assert.deepEqual(await readdir(folder), ['new.key']);
  assert.equal((await openLocalKms(path)).keyId, kms.keyId);
});

test('of many that open at once one makes the key and all use it', async () => {
  const path = join(folder, 'raced.key');
  const opened = await Promise.all(Array.from({ length: 20 }, () => openLocalKms(path)));
  assert.equal(new Set(opened.map((kms) => kms.keyId)).size, 1);
});

test('T-100 a key file that group or others can read is refused with file, problem and fix', async () => {
  const path = join(folder, 'open.key');
  for (const mode of [0o640, 0o604, 0o660, 0o644]) {
    await writeFile(path, Buffer.alloc(32, 7));
    await chmod(path, mode);
    await assert.rejects(openLocalKms(path), (error: Error) => {
      assert.match(
        error.message,
        new RegExp(`open\\.key.*mode 0${mode.toString(8)}.*chmod 600 .*open\\.key`),
      );
      return true;
    });
  }
});

test('T-100 a key file of another length is refused', async () => {
  const path = join(folder, 'short.key');
  for (const length of [0, 31, 33, 64]) {
    await writeFile(path, Buffer.alloc(length), { mode: 0o600 });
    await assert.rejects(openLocalKms(path), new RegExp(`short\\.key has ${length} bytes, not 32`));
  }
});

test('what was wrapped opens under the same words only', async () => {
  const kms = await openLocalKms(join(folder, 'a.key'));
  await fc.assert(
    fc.asyncProperty(fc.uint8Array(), fc.string(), fc.string(), async (bytes, aad, other) => {
      const wrapped = await kms.wrap(new Secret(bytes), aad);
      assert.deepEqual((await kms.unwrap(wrapped, aad)).reveal(), Buffer.from(bytes));
      if (other !== aad) await assert.rejects(kms.unwrap(wrapped, other), UnwrapError);
    }),
    { numRuns: 50 },
  );
});

test('every changed bit, every cut and every other key give the same error', async () => {
  const kms = await openLocalKms(join(folder, 'a.key'));
  const foreign = await openLocalKms(join(folder, 'b.key'));
  const wrapped = await kms.wrap(new Secret(Buffer.from('thirty-two bytes of key material')), 'row');
  const same = { name: 'UnwrapError', message: 'the wrapped key could not be opened' };
  for (let bit = 0; bit < wrapped.length * 8; bit += 1) {
    const changed = Buffer.from(wrapped);
    changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    await assert.rejects(kms.unwrap(changed, 'row'), same);
  }
  for (let length = 0; length < wrapped.length; length += 1) {
    await assert.rejects(kms.unwrap(wrapped.subarray(0, length), 'row'), same);
  }
  await assert.rejects(foreign.unwrap(wrapped, 'row'), same);
});

test('the same key wrapped twice gives other bytes', async () => {
  const kms = await openLocalKms(join(folder, 'a.key'));
  const secret = new Secret(Buffer.alloc(32));
  assert.notDeepEqual(await kms.wrap(secret, 'x'), await kms.wrap(secret, 'x'));
});
