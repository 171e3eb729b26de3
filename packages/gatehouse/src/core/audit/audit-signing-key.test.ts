import assert from 'node:assert/strict';
import { verify } from 'node:crypto';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { openLocalKms } from '#base/crypto/local-kms';
import { openAuditSigningKey } from './audit-signing-key.ts';
import { temporaryFolder } from './fixture.test.ts';
import { parseVerificationKeys } from './verification-keys.ts';

test('the key is made once, sealed in a file of 0600, and is the same after a restart', async (t) => {
  const folder = await temporaryFolder(t);
  const kms = await openLocalKms(join(folder, 'kms.key'));
  const path = join(folder, 'keys', 'audit-signing.key');
  const first = await openAuditSigningKey(path, kms);
  const again = await openAuditSigningKey(path, kms);
  assert.equal(again.keyId, first.keyId);
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  const key = parseVerificationKeys(first.publicKeyPem).get(first.keyId);
  assert.ok(key && verify(null, Buffer.from('message'), key, again.sign(Buffer.from('message'))));
});

test('a sealed key that was changed does not open, and no new one takes its place', async (t) => {
  const folder = await temporaryFolder(t);
  const kms = await openLocalKms(join(folder, 'kms.key'));
  const path = join(folder, 'audit-signing.key');
  await openAuditSigningKey(path, kms);
  const sealed = await readFile(path);
  sealed[sealed.length - 1] = (sealed.at(-1) ?? 0) ^ 1;
  await writeFile(path, sealed);
  await assert.rejects(openAuditSigningKey(path, kms), /sealed file/);
  assert.deepEqual(await readFile(path), sealed);
});

test('a printed signing key shows no private half', async (t) => {
  const folder = await temporaryFolder(t);
  const key = await openAuditSigningKey(join(folder, 'a.key'), await openLocalKms(join(folder, 'kms.key')));
  assert.ok(!JSON.stringify(key).includes('PRIVATE'));
  assert.deepEqual(Object.keys(key).sort(), ['keyId', 'publicKeyPem', 'sign']);
});
