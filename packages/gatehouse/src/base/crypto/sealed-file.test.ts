import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Kms } from './kms.ts';
import { openLocalKms } from './local-kms.ts';
import { readSealedFile, SealedFileError, writeSealedFile } from './sealed-file.ts';

let folder = '';
let kms: Kms;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gatehouse-sealed-'));
  kms = await openLocalKms(join(folder, 'kms.key'));
});
after(() => rm(folder, { recursive: true }));

const content = Buffer.from('a canary that must not be readable on disk');

test('a sealed file gives back its bytes, is private, and does not hold them in clear', async () => {
  const path = join(folder, 'plain');
  await writeSealedFile(path, kms, 'test', content);
  assert.deepEqual(await readSealedFile(path, kms, 'test'), content);
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  assert.equal((await readFile(path)).includes('canary'), false);
});

test('an empty content is sealed too, and a file that does not exist is undefined', async () => {
  const path = join(folder, 'empty');
  await writeSealedFile(path, kms, 'test', Buffer.alloc(0));
  assert.deepEqual(await readSealedFile(path, kms, 'test'), Buffer.alloc(0));
  assert.equal(await readSealedFile(join(folder, 'absent'), kms, 'test'), undefined);
});

test('every changed byte and every cut is refused, and the message names the file and the fix', async () => {
  const path = join(folder, 'changed');
  await writeSealedFile(path, kms, 'test', content);
  const sealed = await readFile(path);
  const refused = (error: unknown): boolean =>
    error instanceof SealedFileError && error.message.includes(path) && error.message.includes('delete');
  for (let at = 0; at < sealed.length; at += 1) {
    const changed = Buffer.from(sealed);
    changed[at] = (changed[at] ?? 0) ^ 0x01;
    await writeFile(path, changed);
    await assert.rejects(readSealedFile(path, kms, 'test'), refused, `byte ${at}`);
    await writeFile(path, sealed.subarray(0, at));
    await assert.rejects(readSealedFile(path, kms, 'test'), refused, `cut at ${at}`);
  }
});

test('a file of another purpose is refused, also when it was sealed by the same key', async () => {
  const path = join(folder, 'purpose');
  await writeSealedFile(path, kms, 'engine-ca', content);
  await assert.rejects(readSealedFile(path, kms, 'directory'), /sealed for another use/);
});

test('a file sealed by another key is refused with the id of the key that is needed', async () => {
  const path = join(folder, 'foreign');
  const foreign = await openLocalKms(join(folder, 'foreign.key'));
  await writeSealedFile(path, foreign, 'test', content);
  await assert.rejects(readSealedFile(path, kms, 'test'), new RegExp(`sealed by key ${foreign.keyId}`));
});

test('writers at once leave one whole file and no temporary one', async () => {
  const path = join(folder, 'raced');
  const contents = Array.from({ length: 10 }, (_, index) => Buffer.alloc(2000, index));
  await Promise.all(contents.map((each) => writeSealedFile(path, kms, 'test', each)));
  const read = await readSealedFile(path, kms, 'test');
  assert.ok(contents.some((each) => read?.equals(each)));
  assert.deepEqual(
    (await readdir(folder)).filter((name) => name.endsWith('.tmp')),
    [],
  );
});
