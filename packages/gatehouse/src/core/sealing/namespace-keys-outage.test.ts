import assert from 'node:assert/strict';
import { test } from 'node:test';
import { refusalOf, settle } from './keys-fixture.test.ts';
import { startSite } from './namespace-keys-fixture.test.ts';

const MINUTE_MS = 60_000;

test('F-06 a KMS that is away leaves the cached keys in use for an hour from its last good answer, then calls are refused', async (t) => {
  const { keys, kms, clock, orders, bills, get, lines } = await startSite(t);
  const keyring = await get(orders);
  kms.mode = 'away';
  for (let minute = 1; minute < 60; minute += 1) {
    clock.advance(MINUTE_MS);
    assert.equal(await keys.get(orders), keyring, `minute ${minute}`);
    await settle();
  }
  clock.advance(MINUTE_MS);
  await assert.rejects(async () => await keys.get(orders), refusalOf('encryption_unavailable'));
  // Others go on, and the one recovers by itself.
  assert.equal((await get(bills)).canSeal, true);
  kms.mode = 'well';
  clock.advance(10_000);
  assert.equal((await get(orders)).canSeal, true);
  assert.deepEqual(
    lines.map(({ level }) => level),
    ['warn', 'info'],
  );
});

test('F-06 a namespace whose keys are not cached is refused while its KMS is away, and the KMS is not asked by every call', async (t) => {
  const { keys, kms, clock, orders, get } = await startSite(t);
  kms.mode = 'away';
  await assert.rejects(async () => await keys.get(orders), refusalOf('encryption_unavailable'));
  const asked = kms.unwraps.length;
  for (let call = 0; call < 100; call += 1)
    assert.throws(() => keys.get(orders), refusalOf('encryption_unavailable'));
  assert.equal(kms.unwraps.length, asked);
  kms.mode = 'well';
  clock.advance(10_000);
  assert.equal((await get(orders)).canSeal, true);
});

test('F-06 callers of a KMS that does not answer are told so after their patience, and those that come then at once', async (t) => {
  const { keys, kms, orders, bills, get } = await startSite(t, { patienceMs: 20 });
  kms.mode = 'hanging';
  await assert.rejects(async () => await keys.get(orders), refusalOf('encryption_unavailable'));
  assert.throws(() => keys.get(orders), refusalOf('encryption_unavailable'));
  assert.equal((await get(bills)).canSeal, true);
  kms.release();
});

test('F-07 a namespace in use stops within five minutes of its KMS key being disabled, and its neighbour does not', async (t) => {
  const { keys, kms, clock, orders, bills, get } = await startSite(t);
  await Promise.all([get(orders), get(bills)]);
  kms.mode = 'disabled';
  const stoppedAtMs = await (async () => {
    for (let second = 1; second <= 300; second += 1) {
      clock.advance(1_000);
      try {
        await keys.get(orders);
      } catch (error) {
        assert.ok(refusalOf('encryption_key_disabled')(error));
        return second * 1_000;
      }
      await settle();
      assert.equal((await get(bills)).canSeal, true);
    }
    return Infinity;
  })();
  assert.ok(stoppedAtMs <= 5 * MINUTE_MS, `stopped after ${stoppedAtMs} ms`);
});

test('F-07 a namespace that was quiet does not make even one call with a key that was disabled more than five minutes ago', async (t) => {
  const { keys, kms, clock, orders, get } = await startSite(t);
  await get(orders);
  kms.mode = 'disabled';
  clock.advance(5 * MINUTE_MS);
  await assert.rejects(async () => await keys.get(orders), refusalOf('encryption_key_disabled'));
});

test('F-07 a disabled key is asked about every ten seconds at most, and its namespace recovers by itself', async (t) => {
  const { keys, kms, clock, orders, get, lines } = await startSite(t);
  kms.mode = 'disabled';
  await assert.rejects(async () => await keys.get(orders), refusalOf('encryption_key_disabled'));
  const asked = kms.unwraps.length;
  clock.advance(9_999);
  assert.throws(() => keys.get(orders), refusalOf('encryption_key_disabled'));
  assert.equal(kms.unwraps.length, asked);
  kms.mode = 'well';
  clock.advance(1);
  assert.equal((await get(orders)).canSeal, true);
  assert.deepEqual(
    lines.map(({ level }) => level),
    ['error', 'info'],
  );
});

test('F-07 told that a KMS key is disabled, its namespaces stop now and no others', async (t) => {
  const { keys, kms, orders, bills, clock, get } = await startSite(t);
  await Promise.all([get(orders), get(bills)]);
  keys.keyDisabled(kms.keyId);
  assert.throws(() => keys.get(orders), refusalOf('encryption_key_disabled'));
  assert.equal((await get(bills)).canSeal, true);
  clock.advance(10_000);
  assert.equal((await get(orders)).canSeal, true);
});

test('F-07 an answer that was on its way when the key was disabled does not bring the namespace back', async (t) => {
  const { keys, kms, orders } = await startSite(t);
  kms.mode = 'hanging';
  const waiting = assert.rejects(async () => await keys.get(orders), refusalOf('encryption_key_disabled'));
  await settle();
  keys.keyDisabled(kms.keyId);
  kms.mode = 'well';
  kms.release();
  await waiting;
  assert.throws(() => keys.get(orders), refusalOf('encryption_key_disabled'));
});
