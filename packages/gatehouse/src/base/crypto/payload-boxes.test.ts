import assert from 'node:assert/strict';
import { createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { test } from 'node:test';
import {
  createNamespaceKeyring,
  type NamespaceKeyring,
  type NamespaceKeyringOptions,
} from './namespace-keyring.ts';
import { createNonceSource, type NonceSource } from './nonce-source.ts';
import { Secret } from './secret.ts';

const scope = { region: 'aws-eu', account: 'a1b2c', namespaceUuid: '0195a7c1-0000-7000-8000-000000000001' };
const KEY_ID = '00112233445566ff';
const OTHER_ID = 'ffeeddccbbaa9900';
const PLAINTEXT = Buffer.from('{"metadata":"json/plain"} the plaintext');

/** Keyrings of these tests share their key bytes: what does not open is refused for the binding alone. */
function keyring(
  overrides: Partial<typeof scope> = {},
  options: NamespaceKeyringOptions = {},
): NamespaceKeyring {
  const key = (id: string, fill: number, createdAtMs: number) => ({
    id,
    purpose: 'payload' as const,
    createdAtMs,
    key: new Secret(Buffer.alloc(32, fill)),
  });
  return createNamespaceKeyring(
    { ...scope, ...overrides },
    [key(KEY_ID, 1, 2), key(OTHER_ID, 1, 1)],
    options,
  );
}

function seal(ring: NamespaceKeyring, plaintext: Uint8Array = PLAINTEXT): Buffer {
  const box = Buffer.alloc(ring.sealedLength(plaintext.length));
  assert.equal(ring.sealInto('payload', plaintext, box, 0), box.length);
  return box;
}

const fixedNonces: NonceSource = {
  writeNonce: (target) => void target.fill(0xaa, 0, 12),
  salt: () => Buffer.alloc(16, 0xbb),
};

function words(...list: string[]): Buffer {
  return Buffer.concat(
    list.flatMap((word) => {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(Buffer.byteLength(word));
      return [length, Buffer.from(word)];
    }),
  );
}

/** The format once more, spelled out: what opens a box of version 1 in another program. */
function openByHand(box: Buffer, aad: Buffer): Buffer {
  const info = words('gatehouse data key', scope.region, scope.account, scope.namespaceUuid);
  const dataKey = hkdfSync('sha256', Buffer.alloc(32, 1), box.subarray(9, 25), info, 32);
  const decipher = createDecipheriv('aes-256-gcm', Buffer.from(dataKey), box.subarray(25, 37));
  decipher.setAAD(aad).setAuthTag(box.subarray(box.length - 16));
  return Buffer.concat([decipher.update(box.subarray(37, -16)), decipher.final()]);
}

test('a box of version 1 has the form that is written down, and opens by hand', () => {
  const box = seal(keyring({}, { nonces: fixedNonces }));
  const header = `01${KEY_ID}${'bb'.repeat(16)}`;
  assert.equal(box.toString('hex', 0, 37), `${header}${'aa'.repeat(12)}`);
  const { region, account, namespaceUuid } = scope;
  const aad = [words('gatehouse box', region, account, namespaceUuid, 'payload'), Buffer.from(header, 'hex')];
  assert.deepEqual(openByHand(box, Buffer.concat(aad)), PLAINTEXT);
});

// Made by another program (Python's `cryptography`), so it also tells that the format is what is written down.
test('a box that was sealed by the first release opens', () => {
  const box = Buffer.from(
    '0100112233445566ff000102030405060708090a0b0c0d0e0f6465666768696a6b6c6d6e6fb8adc59c5ca00ab460be0e' +
      'acf867a8c0411a9dff36ce5893f35ee56930948a8d0ea4684fe65761070a6192aef0b572ec3e4a5f8d4e6de7',
    'hex',
  );
  assert.equal(keyring().open('payload', box)?.toString(), PLAINTEXT.toString());
});

test('T-077 a bit flipped anywhere in a box makes it unreadable', () => {
  const ring = keyring();
  const box = seal(ring);
  for (let bit = 0; bit < box.length * 8; bit += 1) {
    const flipped = Buffer.from(box);
    flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    assert.equal(ring.open('payload', flipped), undefined, `bit ${bit}`);
  }
  assert.deepEqual(ring.open('payload', box), PLAINTEXT);
});

test('T-077 a box cut at any length, or made longer at either end, is unreadable', () => {
  const ring = keyring();
  for (const plaintext of [PLAINTEXT, Buffer.alloc(0)]) {
    const box = seal(ring, plaintext);
    for (let length = 0; length < box.length; length += 1) {
      assert.equal(ring.open('payload', box.subarray(0, length)), undefined, `cut to ${length}`);
      assert.equal(ring.open('payload', box.subarray(box.length - length)), undefined, `last ${length}`);
    }
    assert.equal(ring.open('payload', Buffer.concat([box, Buffer.of(0)])), undefined);
    assert.equal(ring.open('payload', Buffer.concat([Buffer.of(1), box])), undefined);
  }
});

test('T-077 a box with its tag cut to 4, 8 or 12 bytes, or doubled, is unreadable', () => {
  const ring = keyring();
  const box = seal(ring);
  const [body, tag] = [box.subarray(0, -16), box.subarray(-16)];
  for (const cut of [0, 4, 8, 12]) {
    assert.equal(ring.open('payload', Buffer.concat([body, tag.subarray(0, cut)])), undefined);
  }
  assert.equal(ring.open('payload', Buffer.concat([body, tag, tag])), undefined);
});

test('T-077 a box with an empty nonce, or one of another length, is unreadable', () => {
  const ring = keyring();
  const box = seal(ring);
  for (const length of [0, 1, 8, 11, 13, 16, 32]) {
    const other = Buffer.concat([
      box.subarray(0, 25),
      Buffer.alloc(length, box.subarray(25, 37)),
      box.subarray(37),
    ]);
    assert.equal(ring.open('payload', other), undefined, `${length} bytes`);
  }
});

test('T-077 a broken box leaves the keyring as it was: the next good one opens', () => {
  const ring = keyring({}, { openedKeysMax: 2 });
  const box = seal(keyring());
  assert.deepEqual(ring.open('payload', box), PLAINTEXT);
  for (let i = 0; i < 100; i += 1) {
    const madeUp = Buffer.from(box);
    randomBytes(16).copy(madeUp, 9);
    assert.equal(ring.open('payload', madeUp), undefined);
  }
  assert.deepEqual(ring.open('payload', box), PLAINTEXT);
});

test('T-079 a box of another region is unreadable', () => {
  assert.equal(keyring({ region: 'aws-us' }).open('payload', seal(keyring())), undefined);
});

test('T-079 a box of another account is unreadable', () => {
  assert.equal(keyring({ account: 'a1b2d' }).open('payload', seal(keyring())), undefined);
});

test('T-079 a box of another namespace, or of an earlier one of its name, is unreadable', () => {
  const again = '0195a7c1-0000-7000-8000-000000000002';
  assert.equal(keyring({ namespaceUuid: again }).open('payload', seal(keyring())), undefined);
});

test('T-079 a boundary moved between two words of the scope makes another scope', () => {
  const moved = { region: 'aws-eua1', account: 'b2c' };
  assert.equal(keyring(moved).open('payload', seal(keyring())), undefined);
});

test('T-079 a box of one kind is unreadable as any other', () => {
  const ring = keyring();
  const kinds = ['payload', 'failure', 'text'] as const;
  for (const sealed of kinds) {
    const box = Buffer.alloc(ring.sealedLength(PLAINTEXT.length));
    ring.sealInto(sealed, PLAINTEXT, box, 0);
    for (const kind of kinds) {
      assert.deepEqual(ring.open(kind, box), kind === sealed ? PLAINTEXT : undefined);
    }
  }
});

test('T-079 a box whose key id is exchanged is unreadable, even where both ids have the same key', () => {
  const ring = keyring();
  const box = seal(ring);
  Buffer.from(OTHER_ID, 'hex').copy(box, 1);
  assert.equal(ring.open('payload', box), undefined);
});

test('T-079 a box whose salt is exchanged is unreadable', () => {
  const ring = keyring();
  const [box, other] = [seal(ring), seal(keyring())];
  other.copy(box, 9, 9, 25);
  assert.equal(ring.open('payload', box), undefined);
});

test('T-079b a box of any other version is unreadable', () => {
  const ring = keyring();
  const box = seal(ring);
  for (let version = 0; version < 256; version += 1) {
    box[0] = version;
    assert.deepEqual(ring.open('payload', box), version === 1 ? PLAINTEXT : undefined);
  }
});

test('T-079 every word is bound by the AAD alone too, not only by the data key', () => {
  const box = seal(keyring());
  const header = box.subarray(0, 25);
  const bound = ['gatehouse box', scope.region, scope.account, scope.namespaceUuid, 'payload'];
  assert.deepEqual(openByHand(box, Buffer.concat([words(...bound), header])), PLAINTEXT);
  for (let at = 0; at < bound.length; at += 1) {
    const changed = bound.map((word, index) => (index === at ? `${word}x` : word));
    assert.throws(() => openByHand(box, Buffer.concat([words(...changed), header])));
  }
  for (const at of [0, 1, 8, 9, 24]) {
    const changed = Buffer.from(header);
    changed[at] = (changed[at] ?? 0) ^ 1;
    assert.throws(() => openByHand(box, Buffer.concat([words(...bound), changed])));
  }
});

test('T-079 not bound: workflow, run, field and position; inside its namespace a box opens wherever the engine copies it', () => {
  // Another replica, or the same one after a restart: nothing is shared but the namespace key.
  assert.deepEqual(keyring().open('payload', seal(keyring())), PLAINTEXT);
  assert.deepEqual(keyring().open('payload', Buffer.concat([seal(keyring())])), PLAINTEXT);
});

test('T-078 one keyring never seals two messages with one nonce, nor the same message to the same box', () => {
  const ring = keyring();
  const boxes = Array.from({ length: 20_000 }, () => seal(ring, Buffer.of(1)));
  assert.equal(new Set(boxes.map((box) => box.toString('latin1', 0, 37))).size, boxes.length);
  assert.equal(new Set(boxes.map((box) => box.toString('latin1', 0, 25))).size, 1);
});

const broken = { random: (target: Buffer) => void target.fill(7), processId: 10 };

test('T-078 two keyrings of one process repeat nothing with a broken random source and clocks that stand', () => {
  const clock = { now: () => 1, monotonicMs: () => 1 };
  const rings = [0, 1].map(() => keyring({}, { clock, nonces: createNonceSource({ ...broken, clock }) }));
  const boxes = rings.flatMap((ring) => Array.from({ length: 1_000 }, () => seal(ring)));
  assert.equal(new Set(boxes.map((box) => box.toString('latin1', 25, 37))).size, boxes.length);
});

test('T-078 a snapshot restored twice with its data key in hand repeats no nonce under it', () => {
  const restore = () => {
    const time = { nowMs: 1_000 };
    const clock = { now: () => time.nowMs, monotonicMs: () => 1 };
    const ring = keyring({}, { clock, nonces: createNonceSource({ ...broken, instance: 3, clock }) });
    return { time, ring, first: seal(ring) };
  };
  const [one, two] = [restore(), restore()];
  // Up to here they are the same machine: same data key, same nonce, same plaintext, so the same box.
  assert.deepEqual(one.first, two.first);
  two.time.nowMs += 1;
  const boxes = [one, two].flatMap(({ ring }) => Array.from({ length: 1_000 }, () => seal(ring)));
  assert.equal(new Set(boxes.map((box) => box.toString('latin1', 0, 25))).size, 1);
  assert.equal(new Set(boxes.map((box) => box.toString('latin1', 25, 37))).size, boxes.length);
});

test('T-078 a snapshot that sleeps past the age of its data key makes a new one', () => {
  const time = { nowMs: 1_000 };
  const ring = keyring({}, { clock: { now: () => time.nowMs, monotonicMs: () => 1 } });
  const before = seal(ring);
  time.nowMs += 3_600_000;
  assert.notDeepEqual(seal(ring).subarray(0, 25), before.subarray(0, 25));
});

test('T-078 a data key is replaced by count, and boxes of all of them open', () => {
  const ring = keyring({}, { dataKeyMaxMessages: 10, openedKeysMax: 3 });
  const boxes = Array.from({ length: 100 }, () => seal(ring));
  assert.equal(new Set(boxes.map((box) => box.toString('latin1', 9, 25))).size, 10);
  for (const reader of [ring, keyring({}, { openedKeysMax: 1 })]) {
    for (const box of boxes) assert.deepEqual(reader.open('payload', box), PLAINTEXT);
  }
});

test('T-078 T-079 a box in pieces has the form and the bonds of one that is whole', () => {
  const plaintext = randomBytes(150_000);
  const ring = keyring({}, { nonces: fixedNonces });
  const box = Buffer.concat(ring.sealPieces('payload', plaintext));
  assert.ok(box.equals(seal(ring, plaintext)));
  assert.ok(ring.open('payload', box)?.equals(plaintext));
  assert.equal(ring.open('failure', box), undefined);
  assert.notDeepEqual(keyring().sealPieces('payload', plaintext), keyring().sealPieces('payload', plaintext));
});
