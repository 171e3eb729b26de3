import assert from 'node:assert/strict';
import { createHmac, randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { Secret } from './secret.ts';
import { createTokenKeyring, type TokenKey } from './token-keyring.ts';

const DAY = 86_400_000;

function daily(count: number): TokenKey[] {
  return Array.from({ length: count }, (_, index) => ({
    id: index + 1,
    createdAtMs: index * DAY,
    key: new Secret(Buffer.alloc(32, index + 1)),
  }));
}

function fakeClock(nowMs: number) {
  return { nowMs, now: () => clock.nowMs, monotonicMs: () => 0 };
}
let clock = fakeClock(0);

test('a tag verifies under the key that made it, over the same parts, and under nothing else', () => {
  clock = fakeClock(2 * DAY);
  const keyring = createTokenKeyring(daily(2), { clock });
  fc.assert(
    fc.property(fc.array(fc.uint8Array()), fc.array(fc.uint8Array()), (parts, others) => {
      const mac = keyring.mac(1, parts);
      assert.equal(mac.length, 16);
      assert.equal(keyring.verify(1, parts, mac), true);
      assert.equal(keyring.verify(2, parts, mac), false);
      assert.equal(keyring.verify(3, parts, mac), false);
      const same =
        parts.length === others.length &&
        parts.every((each, i) => Buffer.from(each).equals(others[i] ?? Buffer.of(1)));
      assert.equal(keyring.verify(1, others, mac), same);
    }),
  );
});

test('the same bytes cut into other parts have another tag', () => {
  const keyring = createTokenKeyring(daily(1));
  const bytes = randomBytes(12);
  const cuts = [
    [bytes],
    [bytes, Buffer.alloc(0)],
    [Buffer.alloc(0), bytes],
    [bytes.subarray(0, 5), bytes.subarray(5)],
    [bytes.subarray(0, 6), bytes.subarray(6)],
  ];
  assert.equal(new Set(cuts.map((parts) => keyring.mac(1, parts).toString('hex'))).size, cuts.length);
});

test('a tag is HMAC-SHA-256 over count, lengths and parts, cut to 16 bytes', () => {
  const input = Buffer.from([2, 0, 0, 0, 1, 0, 0, 0, 2, 0xaa, 0xbb, 0xcc]);
  const expected = createHmac('sha256', Buffer.alloc(32, 1)).update(input).digest().subarray(0, 16);
  assert.deepEqual(createTokenKeyring(daily(1)).mac(1, [Buffer.of(0xaa), Buffer.of(0xbb, 0xcc)]), expected);
});

test('cut, extended and empty tags are refused', () => {
  const keyring = createTokenKeyring(daily(1));
  const mac = keyring.mac(1, [Buffer.of(1)]);
  for (const length of [0, 1, 4, 15])
    assert.equal(keyring.verify(1, [Buffer.of(1)], mac.subarray(0, length)), false);
  assert.equal(keyring.verify(1, [Buffer.of(1)], Buffer.concat([mac, Buffer.of(0)])), false);
});

test('a new key is known a day before it is used, and the first one is used at once', () => {
  clock = fakeClock(0);
  const keyring = createTokenKeyring(daily(3), { clock });
  const at = (nowMs: number): number => {
    clock.nowMs = nowMs;
    return keyring.current.id;
  };
  assert.deepEqual(
    [at(0), at(DAY), at(2 * DAY - 1), at(2 * DAY), at(3 * DAY), at(9 * DAY)],
    [1, 1, 1, 2, 3, 3],
  );
});

test('an old key is accepted for 30 days after its successor came into use, then not', () => {
  clock = fakeClock(0);
  const keyring = createTokenKeyring(daily(2), { clock });
  const mac = keyring.mac(1, [Buffer.of(9)]);
  clock.nowMs = 32 * DAY - 1;
  assert.equal(keyring.verify(1, [Buffer.of(9)], mac), true);
  assert.equal(keyring.byId(1)?.id, 1);
  clock.nowMs = 32 * DAY;
  assert.equal(keyring.verify(1, [Buffer.of(9)], mac), false);
  assert.equal(keyring.byId(1), undefined);
});

test('no keys, ids out of range and ids given twice are refused', () => {
  assert.throws(() => createTokenKeyring([]), RangeError);
  for (const id of [0, -1, 65536, 1.5]) {
    assert.throws(
      () => createTokenKeyring([{ id, createdAtMs: 0, key: new Secret(Buffer.alloc(32)) }]),
      RangeError,
    );
  }
  const [one] = daily(1);
  assert.ok(one !== undefined);
  assert.throws(() => createTokenKeyring([one, one]), RangeError);
});

test('a keyring prints no key material', () => {
  const key = new Secret(Buffer.from('canary-canary-canary-canary-cana'));
  const keyring = createTokenKeyring([{ id: 1, createdAtMs: 0, key }]);
  const printed = `${inspect(keyring, { depth: 9, showHidden: true })}${JSON.stringify(keyring)}`;
  assert.equal(/canary|63616e617279|63 61 6e/.test(printed), false);
});

test('a sealed text opens under its key and its words, and as nothing else', () => {
  clock = fakeClock(2 * DAY);
  const keyring = createTokenKeyring(daily(2), { clock });
  const aad = Buffer.from('orders');
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(), (plaintext, where) => {
      const box = keyring.seal(1, aad, plaintext);
      assert.deepEqual(keyring.open(1, aad, box), Buffer.from(plaintext));
      assert.equal(keyring.open(2, aad, box), undefined);
      assert.equal(keyring.open(3, aad, box), undefined);
      assert.equal(keyring.open(1, Buffer.from('others'), box), undefined);
      const at = where % box.length;
      box[at] = (box[at] ?? 0) ^ 1;
      assert.equal(keyring.open(1, aad, box), undefined);
    }),
  );
  assert.throws(() => keyring.seal(3, aad, Buffer.of(1)), RangeError);
});

test('a sealed text stops opening when the grace of its key ends', () => {
  clock = fakeClock(0);
  const keyring = createTokenKeyring(daily(2), { clock, activateAfterMs: 0, graceMs: DAY });
  const box = keyring.seal(1, Buffer.alloc(0), Buffer.from('x'));
  clock.nowMs = 2 * DAY - 1;
  assert.deepEqual(keyring.open(1, Buffer.alloc(0), box), Buffer.from('x'));
  clock.nowMs = 2 * DAY;
  assert.equal(keyring.open(1, Buffer.alloc(0), box), undefined);
});
