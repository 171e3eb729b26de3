import assert from 'node:assert/strict';
import { createHmac, createSecretKey, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Secret } from './secret.ts';
import { createTokenKeyring } from './token-keyring.ts';

interface Vector {
  readonly name: string;
  readonly key: Buffer;
  readonly message: Buffer;
  readonly tag: Buffer;
  readonly valid: boolean;
}

const file = new URL('./testing-vectors/hmac-sha256.txt', import.meta.url);
const vectors = readFileSync(file, 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('tag '))
  .map((line): Vector => {
    const [, name = '', , ...fields] = line.split(' ');
    const verdict = fields.pop();
    assert.ok(verdict === 'valid' || verdict === 'invalid');
    const [key, message, tag] = fields.map((hex) => Buffer.from(hex, 'hex'));
    assert.ok(key && message && tag);
    return { name, key, message, tag, valid: verdict === 'valid' };
  });

/** The true tag of a vector's message, as our tags are made: one update, a KeyObject, cut at its end. */
function cutTag({ key, message, tag }: Vector): Buffer {
  return createHmac('sha256', createSecretKey(key)).update(message).digest().subarray(0, tag.length);
}

test('T-044 every Wycheproof vector of HMAC-SHA-256 has its verdict, whole tags and tags of half the length', () => {
  assert.equal(vectors.length, 174);
  assert.equal(vectors.filter(({ valid }) => valid).length, 66);
  assert.equal(vectors.filter(({ tag }) => tag.length === 16).length, 87);
  for (const each of vectors)
    assert.equal(timingSafeEqual(cutTag(each), each.tag), each.valid, `test ${each.name}`);
});

test('T-044 a tag of ours changed as Wycheproof changes its tags is refused, and unchanged it is accepted', () => {
  const ring = (key: Buffer) => createTokenKeyring([{ id: 1, createdAtMs: 0, key: new Secret(key) }]);
  let changed = 0;
  for (const each of vectors.filter(({ tag }) => tag.length === 16)) {
    const keyring = ring(each.key);
    const parts = [Buffer.from('scope'), each.message];
    const ours = keyring.mac(1, parts);
    // What the vector's author did to the true tag, done to ours.
    const theirs = cutTag(each);
    const made = ours.map((octet, at) => octet ^ (theirs[at] ?? 0) ^ (each.tag[at] ?? 0));
    assert.equal(keyring.verify(1, parts, made), each.valid, `test ${each.name}`);
    if (!each.valid) changed += 1;
  }
  assert.equal(changed, 54);
});

test('T-044 a tag is HMAC-SHA-256 over the count and lengths of the parts and the parts, cut to 16 bytes', () => {
  for (const { name, key, message } of vectors) {
    const keyring = createTokenKeyring([{ id: 1, createdAtMs: 0, key: new Secret(key) }]);
    const bounds = Buffer.from([2, 0, 0, 0, 5, 0, 0, message.length >> 8, message.length & 0xff]);
    const framed = Buffer.concat([bounds, Buffer.from('scope'), message]);
    const whole = createHmac('sha256', key).update(framed).digest();
    const ours = keyring.mac(1, [Buffer.from('scope'), message]);
    assert.ok(ours.equals(whole.subarray(0, 16)), `test ${name}`);
  }
});
