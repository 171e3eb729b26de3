import assert from 'node:assert/strict';
import { createSecretKey } from 'node:crypto';
import { test } from 'node:test';
import {
  createRotation,
  DATA_KEY_CEILINGS,
  DATA_KEY_LIMITS,
  type DataKeyLimits,
  deriveKey,
} from './data-key.ts';

function fixture(limits: Partial<DataKeyLimits>) {
  const time = { nowMs: 1_000_000, monotonicMs: 50 };
  const clock = { now: () => time.nowMs, monotonicMs: () => time.monotonicMs };
  let made = 0;
  const take = createRotation(() => ++made, { ...DATA_KEY_LIMITS, ...limits }, clock);
  return { time, take };
}

test('a derived key is the first 32 bytes of HKDF-SHA256, by the first vector of RFC 5869', () => {
  const key = deriveKey(
    createSecretKey(Buffer.alloc(22, 0x0b)),
    Buffer.from('000102030405060708090a0b0c', 'hex'),
    Buffer.from('f0f1f2f3f4f5f6f7f8f9', 'hex'),
  );
  assert.equal(
    key.export().toString('hex'),
    '3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf',
  );
});

test('T-078 a data key serves exactly as many messages as it may', () => {
  const { take } = fixture({ messagesMax: 3 });
  assert.deepEqual(
    Array.from({ length: 7 }, () => take(1)),
    [1, 1, 1, 2, 2, 2, 3],
  );
});

test('T-078 a data key is replaced before the message that would exceed its bytes', () => {
  const { take } = fixture({ bytesMax: 100 });
  assert.deepEqual(
    [take(60), take(40), take(1), take(99), take(1), take(500), take(1)],
    [1, 1, 2, 2, 3, 4, 5],
  );
});

test('a data key is replaced at its age by either clock, also where the wall clock ran backwards', () => {
  const { time, take } = fixture({ ageMaxMs: 1_000 });
  assert.equal(take(1), 1);
  time.monotonicMs += 999;
  assert.equal(take(1), 1);
  time.monotonicMs += 1;
  assert.equal(take(1), 2);
  time.nowMs += 999;
  assert.equal(take(1), 2);
  time.nowMs += 1;
  assert.equal(take(1), 3);
  time.nowMs -= 1_000;
  assert.equal(take(1), 4);
});

test('T-078 no setting can lift the ceilings: a day, 2^32 messages, 2^36 bytes', () => {
  assert.deepEqual(DATA_KEY_LIMITS, { ageMaxMs: 3_600_000, messagesMax: 2 ** 24, bytesMax: 2 ** 36 });
  assert.deepEqual(DATA_KEY_CEILINGS, { ageMaxMs: 86_400_000, messagesMax: 2 ** 32, bytesMax: 2 ** 36 });
  assert.doesNotThrow(() => fixture(DATA_KEY_CEILINGS));
  for (const [name, max] of Object.entries(DATA_KEY_CEILINGS)) {
    for (const value of [max + 1, 0, -1, Number.NaN, Infinity]) {
      assert.throws(() => fixture({ [name]: value }), RangeError, `${name} ${value}`);
    }
  }
});
