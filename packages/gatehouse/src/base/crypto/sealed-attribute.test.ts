import assert from 'node:assert/strict';
import { createSecretKey } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { aadOf } from './aead.ts';
import { sealGcm } from './aes-gcm.ts';
import { deriveKey } from './data-key.ts';
import { createNamespaceKeyring, type NamespaceKey, type SealScope } from './namespace-keyring.ts';
import { ATTRIBUTE_VALUE_BYTES_MAX } from './sealed-attribute.ts';
import { Secret } from './secret.ts';

const scope = { region: 'aws-eu', account: 'a1b2c', namespaceUuid: '0195a7c1-0000-7000-8000-000000000001' };

function attributeKey(n: number, fill = n): NamespaceKey {
  const id = n.toString(16).padStart(16, '0');
  return { id, purpose: 'attribute', createdAtMs: n, key: new Secret(Buffer.alloc(32, fill)) };
}

function ringOf(numbers: readonly number[], overrides: Partial<SealScope> = {}) {
  return createNamespaceKeyring(
    { ...scope, ...overrides },
    numbers.map((n) => attributeKey(n)),
  );
}

test('a sealed value opens to itself, whatever Unicode is in it', () => {
  const ring = ringOf([1]);
  const name = fc.string({ unit: 'binary', minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(name, fc.string({ unit: 'binary', maxLength: 38 }), (attribute, value) => {
      const text = ring.sealAttribute(attribute, value);
      assert.ok(text !== undefined && /^gh1\.[A-Za-z0-9_-]+$/.test(text) && text.length <= 255);
      assert.equal(ring.openAttribute(attribute, text), value);
    }),
  );
  for (const value of ['', 'zażółć', '顧客', '👩‍👩‍👧', 'e\u0301', '\u00e9', '\u0000', "' OR 1=1 --"]) {
    assert.equal(ring.openAttribute('A', ring.sealAttribute('A', value) ?? ''), value);
  }
});

test('equal values have equal texts in every replica, others have others, without any folding', () => {
  const values = ['order-1', 'order-2', 'Order-1', 'order-1 ', '', '\u00e9', 'e\u0301', 'É'];
  const texts = values.map((value) => ringOf([1]).sealAttribute('A', value));
  assert.deepEqual(
    values.map((value) => ringOf([1]).sealAttribute('A', value)),
    texts,
  );
  assert.equal(new Set(texts).size, values.length);
});

test('T-083 the same value in two namespaces, accounts, regions or under two keys has other texts', () => {
  const rings = [
    ringOf([1]),
    ringOf([1], { namespaceUuid: '0195a7c1-0000-7000-8000-000000000002' }),
    ringOf([1], { account: 'a1b2d' }),
    ringOf([1], { region: 'aws-us' }),
    ringOf([2]),
  ];
  const texts = rings.map((ring) => ring.sealAttribute('CustomerId', 'acme') ?? '');
  // Not only as a whole: nothing after the key id is alike.
  for (const [from, to] of [
    [16, 31],
    [31, 47],
  ] as const) {
    assert.equal(new Set(texts.map((text) => text.slice(from, to))).size, rings.length);
  }
  rings.forEach((ring, own) => {
    texts.forEach((text, at) => {
      assert.equal(ring.openAttribute('CustomerId', text), at === own ? 'acme' : undefined);
    });
  });
});

test('T-083 the same value in two attributes has other texts, and neither opens as the other', () => {
  const ring = ringOf([1]);
  const [a, b] = [ring.sealAttribute('Payer', 'acme') ?? '', ring.sealAttribute('Payee', 'acme') ?? ''];
  assert.notEqual(a.slice(15), b.slice(15));
  assert.deepEqual([ring.openAttribute('Payer', b), ring.openAttribute('Payee', a)], [undefined, undefined]);
});

test('T-083 a boundary moved between attribute and value makes another text', () => {
  const ring = ringOf([1]);
  assert.notEqual(ring.sealAttribute('ab', 'c')?.slice(15, 31), ring.sealAttribute('a', 'bc')?.slice(15, 31));
});

test('the longest value has 152 bytes and its text fits 255 characters; one more is refused', () => {
  assert.equal(ATTRIBUTE_VALUE_BYTES_MAX, 152);
  const ring = ringOf([1, 2]);
  const longest = 'x'.repeat(ATTRIBUTE_VALUE_BYTES_MAX);
  assert.equal(ring.sealAttribute('A'.repeat(300), longest)?.length, 255);
  assert.equal(ring.openAttribute('A', ring.sealAttribute('A', longest) ?? ''), longest);
  assert.equal(ring.sealAttribute('A', `${longest}x`), undefined);
  assert.equal(ring.sealAttributeAll('A', `${longest}x`), undefined);
  assert.equal(ring.sealAttribute('A', '顧'.repeat(51)), undefined);
});

test('the newest key seals, all keys open, and a filter gets the texts of all, newest first', () => {
  const ring = ringOf([2, 3, 1]);
  const expected = [3, 2, 1].map((n) => ringOf([n]).sealAttribute('A', 'acme'));
  assert.equal(ring.sealAttribute('A', 'acme'), expected[0]);
  assert.deepEqual(ring.sealAttributeAll('A', 'acme'), expected);
  for (const text of expected) assert.equal(ring.openAttribute('A', text ?? ''), 'acme');
});

test('T-077 a text changed in any character, cut, extended or spelled otherwise does not open', () => {
  const ring = ringOf([1]);
  const text = ring.sealAttribute('A', 'acme') ?? '';
  for (let at = 0; at < text.length; at += 1) {
    const other = text[at] === 'B' ? 'C' : 'B';
    assert.equal(ring.openAttribute('A', text.slice(0, at) + other + text.slice(at + 1)), undefined);
    assert.equal(ring.openAttribute('A', text.slice(0, at)), undefined);
    assert.equal(ring.openAttribute('A', `${text.slice(0, at)}=${text.slice(at)}`), undefined);
  }
  const respelled = [`${text}=`, `${text}A`, ` ${text}`, `${text}\n`, text.toUpperCase(), `gh1.${text}`, ''];
  for (const each of respelled) assert.equal(ring.openAttribute('A', each), undefined);
});

test('a text with another nonce than that of its value does not open, though its tag is right', () => {
  const words = [scope.region, scope.account, scope.namespaceUuid];
  const boxKey = deriveKey(
    createSecretKey(Buffer.alloc(32, 1)),
    Buffer.alloc(0),
    aadOf('gatehouse attribute box', ...words),
  );
  const id = attributeKey(1).id;
  const aad = aadOf('gatehouse attribute', ...words, id, 'A');
  const textWith = (nonce: Buffer): string => {
    const box = Buffer.concat([Buffer.from(id, 'hex'), nonce, Buffer.alloc(4 + 16)]);
    sealGcm(boxKey, nonce, aad, Buffer.from('acme'), box, 20);
    return `gh1.${box.toString('base64url')}`;
  };
  const ring = ringOf([1]);
  const right = Buffer.from(ring.sealAttribute('A', 'acme')?.slice(4) ?? '', 'base64url').subarray(8, 20);
  assert.equal(ring.openAttribute('A', textWith(right)), 'acme');
  assert.equal(ring.openAttribute('A', textWith(Buffer.alloc(12))), undefined);
});

test('the last character of a text has one spelling only', () => {
  const ring = ringOf([1]);
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  for (const value of ['', 'a', 'ab', 'abc']) {
    const text = ring.sealAttribute('A', value) ?? '';
    const opening = [...alphabet].filter(
      (last) => ring.openAttribute('A', text.slice(0, -1) + last) === value,
    );
    assert.equal(opening.length, 1);
  }
});

test('a lone surrogate is sealed as U+FFFD, which is what the engine reads in its place', () => {
  const ring = ringOf([1]);
  assert.equal(ring.openAttribute('A', ring.sealAttribute('A', 'a\ud800b') ?? ''), 'a\ufffdb');
  assert.equal(ring.sealAttribute('A', 'a\ud800b'), ring.sealAttribute('A', 'a\ufffdb'));
});

// Made by another program (Python's `cryptography`).
test('a text sealed by the first release opens, and the same value still gives it', () => {
  const text = 'gh1.AAAAAAAAAAGdrk7Y3IelGjnhCNa6QUUPBOU38tkSnQpHL5MnDfZXew';
  assert.equal(ringOf([1]).sealAttribute('CustomerId', 'acme'), text);
  assert.equal(ringOf([1]).openAttribute('CustomerId', text), 'acme');
});
