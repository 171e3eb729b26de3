import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { inspect } from 'node:util';
import fc from 'fast-check';
import {
  createNamespaceKeyring,
  keyIdOfBox,
  type NamespaceKey,
  type NamespaceKeyring,
  type SealedKind,
} from './namespace-keyring.ts';
import { Secret } from './secret.ts';

const scope = { region: 'aws-eu', account: 'a1b2c', namespaceUuid: '0195a7c1-0000-7000-8000-000000000001' };

/** Key number `n`: its bytes, id and age follow from the number. */
function key(n: number, purpose: NamespaceKey['purpose'] = 'payload'): NamespaceKey {
  return {
    id: n.toString(16).padStart(16, '0'),
    purpose,
    createdAtMs: n,
    key: new Secret(Buffer.alloc(32, n)),
  };
}

function seal(ring: NamespaceKeyring, plaintext: Uint8Array, kind: SealedKind = 'payload'): Buffer {
  const box = Buffer.alloc(ring.sealedLength(plaintext.length));
  ring.sealInto(kind, plaintext, box, 0);
  return box;
}

test('sealed, then opened: the same bytes, of every kind and size', () => {
  const ring = createNamespaceKeyring(scope, [key(1)]);
  const kind = fc.constantFrom<SealedKind>('payload', 'failure', 'text');
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 2_000 }), kind, fc.nat(10), (plaintext, sealedAs, offset) => {
      const target = Buffer.alloc(offset + ring.sealedLength(plaintext.length) + 3);
      const end = ring.sealInto(sealedAs, plaintext, target, offset);
      assert.equal(end, target.length - 3);
      assert.deepEqual(ring.open(sealedAs, target.subarray(offset, end)), Buffer.from(plaintext));
      // A plain Uint8Array serves as well as a Buffer, also one that begins inside its memory.
      const copy = new Uint8Array(target).subarray(offset, end);
      assert.deepEqual(ring.open(sealedAs, copy), Buffer.from(plaintext));
      assert.equal(keyIdOfBox(copy), key(1).id);
    }),
  );
  for (const length of [32_767, 32_768, 32_769, 1 << 20]) {
    const plaintext = randomBytes(length);
    assert.ok(ring.open('payload', seal(ring, plaintext))?.equals(plaintext));
  }
});

test('what opens stays as it is while other boxes are opened', () => {
  const ring = createNamespaceKeyring(scope, [key(1)]);
  const boxes = Array.from({ length: 50 }, (_, i) => seal(ring, Buffer.alloc(20, i)));
  const opened = boxes.map((box) => ring.open('payload', box));
  opened.forEach((plaintext, i) => {
    assert.deepEqual(plaintext, Buffer.alloc(20, i));
  });
});

test('the newest payload key seals, whatever the order, and every payload key opens', () => {
  const [one, two, three] = [1, 2, 3].map((n) => createNamespaceKeyring(scope, [key(n)]));
  assert.ok(one && two && three);
  const ring = createNamespaceKeyring(scope, [key(1), key(3), key(9, 'attribute'), key(2)]);
  assert.equal(keyIdOfBox(seal(ring, Buffer.of(1))), key(3).id);
  for (const each of [one, two, three]) {
    assert.deepEqual(ring.open('payload', seal(each, Buffer.of(7))), Buffer.of(7));
  }
  assert.deepEqual(three.open('payload', seal(ring, Buffer.of(7))), Buffer.of(7));
  assert.equal(two.open('payload', seal(ring, Buffer.of(7))), undefined);
});

test('of two keys made in one millisecond every replica seals with the same', () => {
  const [a, b] = [key(1), { ...key(2), createdAtMs: 1 }];
  const again = (): [NamespaceKey, NamespaceKey] => [
    { ...a, key: key(1).key },
    { ...b, key: key(2).key },
  ];
  const [first, second] = [again(), again()];
  const ids = [first, second.reverse()].map((keys) =>
    keyIdOfBox(seal(createNamespaceKeyring(scope, keys), Buffer.of(1))),
  );
  assert.equal(ids[0], ids[1]);
});

test('an attribute key neither seals nor opens payloads, but is known', () => {
  const ring = createNamespaceKeyring(scope, [key(1, 'attribute')]);
  assert.deepEqual([ring.canSeal, ring.hasKey(key(1).id), ring.hasKey(key(2).id)], [false, true, false]);
  assert.throws(() => seal(ring, Buffer.of(1)), RangeError);
  assert.equal(ring.open('payload', seal(createNamespaceKeyring(scope, [key(1)]), Buffer.of(1))), undefined);
});

test('without keys nothing is sealed, and nothing opens', () => {
  const ring = createNamespaceKeyring(scope, []);
  assert.deepEqual([ring.canSeal, ring.scope], [false, scope]);
  assert.throws(() => seal(ring, Buffer.of(1)), /no namespace key to seal with/);
  assert.throws(() => ring.sealAttribute('A', 'x'), RangeError);
  assert.throws(() => ring.sealAttributeAll('A', 'x'), RangeError);
  assert.equal(ring.open('payload', Buffer.alloc(100, 1)), undefined);
  assert.equal(ring.openAttribute('A', 'gh1.AAAA'), undefined);
});

test('a target without room gets not a byte', () => {
  const ring = createNamespaceKeyring(scope, [key(1)]);
  const target = Buffer.alloc(ring.sealedLength(10));
  for (const [length, offset] of [
    [11, 0],
    [10, 1],
    [0, 11],
    [10, -1],
    [10, Number.NaN],
  ] as const) {
    assert.throws(() => ring.sealInto('payload', Buffer.alloc(length), target, offset), RangeError);
    assert.ok(target.every((byte) => byte === 0));
  }
});

test('only a box of our version that can be whole names a key', () => {
  const box = seal(createNamespaceKeyring(scope, [key(0xabc)]), Buffer.alloc(0));
  assert.equal(keyIdOfBox(box), '0000000000000abc');
  assert.equal(keyIdOfBox(box.subarray(1)), undefined);
  assert.equal(keyIdOfBox(box.subarray(0, -1)), undefined);
  assert.equal(keyIdOfBox(Buffer.alloc(0)), undefined);
  box[0] = 2;
  assert.equal(keyIdOfBox(box), undefined);
});

test('bytes that are no box of ours open to nothing and never throw', () => {
  const ring = createNamespaceKeyring(scope, [key(1)]);
  const start = Buffer.concat([Buffer.of(1), Buffer.from(key(1).id, 'hex')]);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 120 }), fc.boolean(), (bytes, ours) => {
      const box = ours ? Buffer.concat([start, bytes]) : bytes;
      assert.equal(ring.open('payload', box), undefined);
    }),
  );
});

test('malformed, doubled, short and destroyed keys are refused, and no message shows a key', () => {
  const canary = new Secret(Buffer.from('canary-canary-canary'));
  const destroyed = key(1);
  destroyed.key.destroy();
  const bad: NamespaceKey[][] = [
    [{ ...key(1), id: '1' }],
    [{ ...key(1), id: '00112233445566FF' }],
    [{ ...key(1), id: '00112233445566ff\n' }],
    [key(1), key(1, 'attribute')],
    [{ ...key(1), key: canary }],
    [destroyed],
  ];
  for (const keys of bad) {
    assert.throws(
      () => createNamespaceKeyring(scope, keys),
      (error) => error instanceof RangeError && !/canary|63616e|63 61 6e/.test(inspect(error)),
    );
  }
  for (const options of [{ openedKeysMax: 0 }, { dataKeyMaxAgeMs: 0 }, { dataKeyMaxMessages: 2 ** 33 }]) {
    assert.throws(() => createNamespaceKeyring(scope, [key(1)], options), RangeError);
  }
});

test('T-082 a keyring shows no key material to any printer, and takes the bytes of its keys away', () => {
  const bytes = Buffer.from('canary-canary-canary-canary-cana');
  const secrets = [new Secret(bytes), new Secret(bytes)];
  const [payload, attribute] = secrets;
  assert.ok(payload && attribute);
  const ring = createNamespaceKeyring(scope, [
    { ...key(1), key: payload },
    { ...key(2, 'attribute'), key: attribute },
  ]);
  seal(ring, Buffer.of(1));
  const printed = [
    inspect(ring, { depth: 9, showHidden: true, getters: true }),
    JSON.stringify(ring),
    String(ring),
    inspect(Object.getOwnPropertyDescriptors(ring), { depth: 9, showHidden: true }),
  ].join();
  assert.equal(/canary|63616e617279|63 61 6e|99,97,110/.test(printed), false);
  for (const secret of secrets) assert.ok(secret.reveal().every((byte) => byte === 0));
});

test('T-082 a keyring that was told to forget holds no key: it seals nothing and opens nothing', () => {
  const ring = createNamespaceKeyring(scope, [key(1), key(2, 'attribute')]);
  const box = seal(ring, Buffer.of(1));
  const text = ring.sealAttribute('A', 'x') ?? '';
  ring.forget();
  assert.equal(ring.canSeal, false);
  assert.deepEqual([ring.hasKey(key(1).id), ring.hasKey(key(2).id)], [false, false]);
  assert.equal(ring.open('payload', box), undefined);
  assert.equal(ring.openAttribute('A', text), undefined);
  assert.throws(() => seal(ring, Buffer.of(1)), RangeError);
  assert.throws(() => ring.sealAttribute('A', 'x'), RangeError);
});
