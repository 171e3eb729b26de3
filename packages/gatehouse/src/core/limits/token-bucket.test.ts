import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { TokenBucket } from './token-bucket.ts';

test('a bucket begins full, gives its burst at once and then its rate', () => {
  const bucket = new TokenBucket(10, 3, 1000);
  assert.deepEqual(
    [1, 2, 3, 4].map(() => bucket.take(1000)),
    [true, true, true, false],
  );
  assert.equal(bucket.take(1099), false);
  assert.equal(bucket.take(1100), true);
  assert.equal(bucket.take(1100), false);
});

test('what is reserved stays for whoever asks without a reserve', () => {
  const bucket = new TokenBucket(1, 4, 0);
  assert.equal(bucket.take(0, 2), true);
  assert.equal(bucket.take(0, 2), true);
  assert.equal(bucket.take(0, 2), false);
  assert.equal(bucket.take(0), true);
  assert.equal(bucket.take(0), true);
  assert.equal(bucket.take(0), false);
});

test('an idle bucket saves up its burst and no more, and another burst cuts what was saved', () => {
  const bucket = new TokenBucket(1000, 5, 0);
  for (let taken = 0; taken < 5; taken += 1) assert.equal(bucket.take(3_600_000), true);
  assert.equal(bucket.take(3_600_000), false);
  bucket.has(7_200_000);
  bucket.setRate(1000, 2);
  assert.deepEqual(
    [1, 2, 3].map(() => bucket.take(7_200_000)),
    [true, true, false],
  );
});

test('a clock that steps back gives nothing', () => {
  const bucket = new TokenBucket(1000, 1, 5000);
  assert.equal(bucket.take(5000), true);
  assert.equal(bucket.take(0), false);
  assert.equal(bucket.take(5000), false);
});

test('in any span no more is given than the burst and what the rate makes of the time', () => {
  const steps = fc.array(fc.tuple(fc.nat(50), fc.nat(3)), { maxLength: 300 });
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 5000 }),
      fc.integer({ min: 1, max: 500 }),
      steps,
      (rate, burst, all) => {
        const bucket = new TokenBucket(rate, burst, 0);
        let nowMs = 0;
        let given = 0;
        for (const [passMs, reserve] of all) {
          nowMs += passMs;
          if (bucket.take(nowMs, reserve)) given += 1;
        }
        assert.ok(given <= burst + (rate * nowMs) / 1000 + 1e-6);
      },
    ),
  );
});
