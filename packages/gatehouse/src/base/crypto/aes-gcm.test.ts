import assert from 'node:assert/strict';
import { createCipheriv, createSecretKey, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { openGcm, sealGcm, sealGcmPieces } from './aes-gcm.ts';

interface Vector {
  readonly name: string;
  readonly key: Buffer;
  readonly nonce: Buffer;
  readonly aad: Buffer;
  readonly plaintext: Buffer;
  readonly sealed: Buffer;
  readonly valid: boolean;
}

const lines = readFileSync(new URL('./testing-vectors/aes-gcm.txt', import.meta.url), 'utf8').split('\n');
const vectors = lines.filter((line) => line.startsWith('box ')).map(parseVector);
const otherSizes = lines
  .filter((line) => line.startsWith('other '))
  .map((line) => line.split(' ').slice(1).map(Number));

function parseVector(line: string): Vector {
  const [, name = '', ...fields] = line.split(' ');
  const verdict = fields.pop();
  assert.ok(verdict === 'valid' || verdict === 'invalid');
  const [key, nonce, aad, plaintext, ciphertext, tag] = fields.map((hex) => Buffer.from(hex, 'hex'));
  assert.ok(key && nonce && aad && plaintext && ciphertext && tag);
  return {
    name,
    key,
    nonce,
    aad,
    plaintext,
    sealed: Buffer.concat([ciphertext, tag]),
    valid: verdict === 'valid',
  };
}

function seal(key: Buffer, nonce: Buffer, aad: Buffer, plaintext: Buffer): Buffer {
  const target = Buffer.alloc(plaintext.length + 16);
  assert.equal(sealGcm(createSecretKey(key), nonce, aad, plaintext, target, 0), target.length);
  return target;
}

test('T-077 every Wycheproof vector of our sizes has the verdict that Wycheproof gives', () => {
  assert.equal(vectors.length, 66);
  assert.equal(vectors.filter((each) => each.valid).length, 39);
  for (const each of vectors) {
    const opened = openGcm(createSecretKey(each.key), each.nonce, each.aad, each.sealed);
    assert.deepEqual(opened, each.valid ? each.plaintext : undefined, `test ${each.name}`);
    const ours = seal(each.key, each.nonce, each.aad, each.plaintext);
    assert.equal(ours.equals(each.sealed), each.valid, `test ${each.name}`);
  }
});

test('T-077 every other size in the Wycheproof file is refused, for sealing and for opening', () => {
  assert.equal(
    otherSizes.reduce((sum, [, , , count = 0]) => sum + count, 0),
    316 - 66,
  );
  const aad = Buffer.alloc(0);
  for (const [keyBits = 0, nonceBits = 0] of otherSizes) {
    const key = Buffer.alloc(keyBits / 8, 1);
    const nonce = Buffer.alloc(nonceBits / 8, 2);
    assert.throws(() => seal(key, nonce, aad, Buffer.of(1)), RangeError);
    assert.throws(() => openGcm(createSecretKey(key), nonce, aad, Buffer.alloc(17)), RangeError);
  }
});

test('T-077 a tag cut to any shorter length does not open', () => {
  const [key, nonce, aad, plaintext] = [randomBytes(32), randomBytes(12), randomBytes(5), randomBytes(20)];
  const sealed = seal(key, nonce, aad, plaintext);
  for (let length = 0; length < sealed.length; length += 1) {
    assert.equal(openGcm(createSecretKey(key), nonce, aad, sealed.subarray(0, length)), undefined);
  }
});

test('what is sealed in pieces is what the cipher gives in one piece, and opens', () => {
  const [key, nonce, aad] = [randomBytes(32), randomBytes(12), randomBytes(50)];
  const piece = 32 * 1024;
  for (const length of [0, 1, piece - 1, piece, piece + 1, 2 * piece, 3 * piece + 17, 1 << 20]) {
    const plaintext = randomBytes(length);
    const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(aad);
    const whole = Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
    const sealed = seal(key, nonce, aad, plaintext);
    assert.ok(sealed.equals(whole), `${length} bytes`);
    assert.ok(openGcm(createSecretKey(key), nonce, aad, sealed)?.equals(plaintext), `${length} bytes`);
  }
});

test('it writes at its offset and nowhere else, and refuses a target without room', () => {
  const [key, nonce] = [createSecretKey(randomBytes(32)), randomBytes(12)];
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), fc.nat(20), fc.nat(20), (plaintext, before, after) => {
      const target = Buffer.alloc(before + plaintext.length + 16 + after, 0xee);
      const end = sealGcm(key, nonce, Buffer.alloc(0), plaintext, target, before);
      assert.equal(end, target.length - after);
      assert.ok(target.subarray(0, before).every((byte) => byte === 0xee));
      assert.ok(target.subarray(end).every((byte) => byte === 0xee));
      assert.throws(
        () => sealGcm(key, nonce, Buffer.alloc(0), plaintext, target, before + after + 1),
        RangeError,
      );
    }),
  );
  assert.throws(() => sealGcm(key, nonce, Buffer.alloc(0), Buffer.of(1), Buffer.alloc(99), -1), RangeError);
});

test('a target that has room for the ciphertext but not for the tag gets not a byte', () => {
  const target = Buffer.alloc(20 + 15);
  const key = createSecretKey(randomBytes(32));
  assert.throws(
    () => sealGcm(key, randomBytes(12), Buffer.alloc(0), Buffer.alloc(20, 1), target, 0),
    RangeError,
  );
  assert.ok(target.every((byte) => byte === 0));
});

test('no error of the cipher tells anything of the key', () => {
  const canary = Buffer.from('canary-canary-ca');
  assert.throws(
    () => seal(canary, Buffer.alloc(12), Buffer.alloc(0), Buffer.of(1)),
    (error: Error) => !/canary|63616e61|63, ?61|99, ?97/i.test(`${error.stack}${JSON.stringify(error)}`),
  );
});

test('what is sealed in pieces is byte for byte what is sealed in one, at every length around a piece', () => {
  const [key, nonce, aad] = [randomBytes(32), randomBytes(12), randomBytes(20)];
  for (const length of [0, 1, 65_535, 65_536, 65_537, 131_072, 200_001]) {
    const plaintext = randomBytes(length);
    const pieces = sealGcmPieces(createSecretKey(key), nonce, aad, plaintext);
    assert.ok(Buffer.concat(pieces).equals(seal(key, nonce, aad, plaintext)), `${length} bytes`);
  }
});
