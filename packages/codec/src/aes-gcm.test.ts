import assert from 'node:assert/strict';
import { createSecretKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { open, seal } from './aes-gcm.ts';

// Gatehouse's own file of vectors: project Wycheproof, its source and licence stand at its head.
const file = new URL('../../gatehouse/src/base/crypto/testing-vectors/aes-gcm.txt', import.meta.url);
const vectors = readFileSync(file, 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('box '))
  .map((line) => {
    const [, name = '', ...fields] = line.split(' ');
    const verdict = fields.pop();
    const [key, nonce, aad, plaintext, ciphertext, tag] = fields.map((hex) => Buffer.from(hex, 'hex'));
    assert.ok(key && nonce && aad && plaintext && ciphertext && tag);
    const box = Buffer.concat([nonce, ciphertext, tag]);
    return { name, key: createSecretKey(key), nonce, aad, plaintext, box, isValid: verdict === 'valid' };
  });

test('T-077 every Wycheproof vector without associated data has the verdict that Wycheproof gives', () => {
  const ours = vectors.filter(({ aad }) => aad.length === 0);
  assert.equal(ours.length, 48);
  assert.equal(ours.filter(({ isValid }) => isValid).length, 21);
  for (const { name, key, nonce, plaintext, box, isValid } of ours) {
    const opened = open(key, box);
    assert.deepEqual(opened && Buffer.from(opened), isValid ? plaintext : undefined, `test ${name}`);
    assert.equal(Buffer.from(seal(key, nonce, plaintext)).equals(box), isValid, `test ${name}`);
  }
});

test('T-077 what was sealed with associated data does not open without it', () => {
  const others = vectors.filter(({ aad }) => aad.length > 0);
  assert.ok(others.length > 0);
  for (const { name, key, box } of others) assert.equal(open(key, box), undefined, `test ${name}`);
});

test('T-077 a box that is cut anywhere does not open, whatever its tag would be then', () => {
  for (const { name, key, box } of vectors.filter(({ isValid, aad }) => isValid && aad.length === 0))
    for (let length = 0; length < box.length; length += 1)
      assert.equal(open(key, box.subarray(0, length)), undefined, `test ${name}, ${length} bytes`);
});
