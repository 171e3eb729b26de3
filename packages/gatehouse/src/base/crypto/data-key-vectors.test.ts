import assert from 'node:assert/strict';
import { createSecretKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { deriveKey } from './data-key.ts';

const file = new URL('./testing-vectors/hkdf-sha256.txt', import.meta.url);
const vectors = readFileSync(file, 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('okm '))
  .map((line) => {
    const [, name = '', , from = '', salt = '', info = '', size = '', output = '', verdict = ''] =
      line.split(' ');
    const octets = (hex: string): Buffer => Buffer.from(hex, 'hex');
    return {
      name,
      from: octets(from),
      salt: octets(salt),
      info: octets(info),
      size: Number(size),
      output: octets(output),
      verdict,
    };
  });

test('T-077 every Wycheproof vector of HKDF-SHA-256 gives our key as its first 32 bytes', () => {
  const valid = vectors.filter(({ verdict }) => verdict === 'valid');
  assert.equal(vectors.length, 86);
  assert.equal(valid.length, 83);
  for (const { name, from, salt, info, size, output } of valid) {
    const key = deriveKey(createSecretKey(from), salt, info).export();
    assert.equal(output.length, Math.min(size, 64), `test ${name}`);
    assert.equal(key.length, 32);
    // A shorter output is a shorter cut of the same bytes (RFC 5869 section 2.3).
    const both = Math.min(size, 32);
    assert.ok(key.subarray(0, both).equals(output.subarray(0, both)), `test ${name}`);
  }
});

test('what Wycheproof refuses, an output beyond 255 hashes, cannot be asked of us: our keys have one size', () => {
  const refused = vectors.filter(({ verdict }) => verdict === 'invalid');
  assert.equal(refused.length, 3);
  for (const { from, salt, info, size } of refused) {
    assert.ok(size > 255 * 32);
    assert.equal(deriveKey(createSecretKey(from), salt, info).symmetricKeySize, 32);
  }
});

test('any other input, salt or info gives another key', () => {
  const flip = (octets: Buffer): Buffer =>
    Buffer.from(octets.map((octet, at) => (at === 0 ? octet ^ 1 : octet)));
  for (const { name, from, salt, info } of vectors) {
    const derive = (...[a, b, c]: [Buffer, Buffer, Buffer]) => deriveKey(createSecretKey(a), b, c);
    const key = derive(from, salt, info);
    const others = [
      derive(flip(from), salt, info),
      ...(salt.length > 0 ? [derive(from, flip(salt), info)] : []),
      derive(from, salt, Buffer.concat([info, Buffer.of(0)])),
    ];
    assert.ok(!others.some((other) => other.equals(key)), `test ${name}`);
  }
});
