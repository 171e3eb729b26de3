import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { type Kms, KmsKeyDisabledError, KmsUnavailableError, UnwrapError } from '#base/crypto/kms';
import { joinWrapped, splitWrapped } from '#base/crypto/kms-adapters/wrapped-form';
import { Secret } from '#base/crypto/secret';

/** One key of a KMS, and what its KMS can be made to do. */
export interface KmsUnderTest {
  /** The same key each time. */
  open(): Promise<Kms>;
  /** Another key, in the same KMS. */
  openOther(): Promise<Kms>;
  /** For one try; a call ends within two of them and a pause. */
  readonly timeoutMs: number;
  /** Credentials: they may be seen nowhere. */
  readonly secrets: readonly string[];
  /** What was logged so far. */
  readonly logLines: readonly string[];
  begin?(trouble: string): Promise<void> | void;
  end?(trouble: string): Promise<void> | void;
  /** Gives the key a new version. */
  rotate?(): Promise<void>;
  /** From now on the KMS gives this answer again, whatever it is asked: the last one it gave before. */
  repeatLastAnswer?(): void;
  answerHonestly?(): void;
  close(): Promise<void>;
}

/** What applies to a KMS; known before it runs, so that a case that was left out is seen in the text. */
export interface KmsTraits {
  /** Troubles in which it gives no answer, or asks to be asked later. */
  readonly outages: readonly string[];
  /** Troubles in which it does not let the key be used. */
  readonly disablings: readonly string[];
  readonly hasVersions: boolean;
  readonly canLie: boolean;
  /** Set where the KMS refuses another key's ciphertext in its own way. */
  readonly otherKeyError?: 'KmsKeyDisabledError';
}

type ErrorClass = new (...args: never[]) => Error;

/** The one suite of promises that every KMS keeps. */
export function kmsConformance(name: string, traits: KmsTraits, start: () => Promise<KmsUnderTest>): void {
  describe(`KMS ${name}`, () => keepPromises(traits, start));
}

function keepPromises(traits: KmsTraits, start: () => Promise<KmsUnderTest>): void {
  let it: KmsUnderTest;
  let kms: Kms;
  const errors: unknown[] = [];
  const canary = 'canary-plaintext-of-a-namespace!';
  const secret = (): Secret => new Secret(Buffer.from(canary));
  const isRefused = async (call: Promise<unknown>, ...classes: ErrorClass[]): Promise<void> => {
    await assert.rejects(call, (error) => {
      errors.push(error);
      assert.ok(
        classes.some((one) => error instanceof one),
        inspect(error),
      );
      return true;
    });
  };

  before(async () => {
    it = await start();
    kms = await it.open();
  });
  after(async () => {
    await kms?.close();
    await it?.close();
  });

  test('what was wrapped opens, whatever its bytes and words', async () => {
    const words = fc.string({ unit: 'grapheme', maxLength: 200 });
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), words, async (bytes, aad) => {
        const wrapped = await kms.wrap(new Secret(bytes), aad);
        // Shorter ones may be there by chance.
        if (bytes.length >= 8) assert.ok(!wrapped.includes(Buffer.from(bytes)));
        assert.deepEqual((await kms.unwrap(wrapped, aad)).reveal(), Buffer.from(bytes));
      }),
      { numRuns: 15 },
    );
  });

  test('T-081b it opens under the words it was wrapped under, and no others', async () => {
    const wrapped = await kms.wrap(secret(), 'region/account/a');
    for (const aad of ['region/account/b', 'region/account/', 'region/account/a ', '']) {
      await isRefused(kms.unwrap(wrapped, aad), UnwrapError);
    }
  });

  test('changed and cut bytes are refused, all with the same error', async () => {
    const wrapped = await kms.wrap(secret(), 'row');
    for (let index = 0; index < wrapped.length; index += 1) {
      await isRefused(kms.unwrap(changedAt(wrapped, index), 'row'), UnwrapError);
      await isRefused(kms.unwrap(wrapped.subarray(0, index), 'row'), UnwrapError);
    }
  });

  test('bytes changed by someone who mends the check are refused', async () => {
    const form = splitWrapped(await kms.wrap(secret(), 'row'));
    // The local KMS has no check to mend.
    if (form === undefined) return;
    const { mark, ciphertext } = form;
    const step = Math.max(1, Math.floor(ciphertext.length / 24));
    for (let index = 0; index < ciphertext.length; index += step) {
      const forged = joinWrapped({ mark, ciphertext: changedAt(ciphertext, index) });
      // Where the bytes name a version of the key, the changed name is one that there is none of.
      await isRefused(kms.unwrap(forged, 'row'), UnwrapError, KmsKeyDisabledError);
    }
    const cut = joinWrapped({ mark, ciphertext: ciphertext.subarray(0, -1) });
    await isRefused(kms.unwrap(cut, 'row'), UnwrapError);
    await isRefused(kms.unwrap(joinWrapped({ mark: changedAt(mark, 3), ciphertext }), 'row'), UnwrapError);
    await isRefused(kms.unwrap(joinWrapped({ mark, ciphertext: Buffer.alloc(0) }), 'row'), UnwrapError);
  });

  test('what another key wrapped is refused, and the keys have different names', async () => {
    const other = await it.openOther();
    assert.notEqual(other.keyId, kms.keyId);
    const wrapped = await other.wrap(secret(), 'row');
    const allowed = traits.otherKeyError === undefined ? UnwrapError : KmsKeyDisabledError;
    await isRefused(kms.unwrap(wrapped, 'row'), allowed);
    assert.equal((await other.unwrap(wrapped, 'row')).reveal().toString(), canary);
    await other.close();
  });

  test('the same key wrapped twice gives other bytes', async () => {
    assert.notDeepEqual(await kms.wrap(secret(), 'row'), await kms.wrap(secret(), 'row'));
  });

  test('a key opened anew, as after a restart, has the same name and opens what there is', async () => {
    const wrapped = await kms.wrap(secret(), 'row');
    const again = await it.open();
    assert.equal(again.keyId, kms.keyId);
    assert.equal((await again.unwrap(wrapped, 'row')).reveal().toString(), canary);
    await again.close();
    assert.equal((await kms.unwrap(wrapped, 'row')).reveal().toString(), canary);
  });

  test('many calls at once are each answered with their own key', async () => {
    const calls = Array.from({ length: 30 }, async (_, index) => {
      const wrapped = await kms.wrap(new Secret(Buffer.from(`key ${index}`)), `row ${index}`);
      assert.equal((await kms.unwrap(wrapped, `row ${index}`)).reveal().toString(), `key ${index}`);
    });
    await Promise.all(calls);
  });

  if (traits.canLie) {
    test('T-081b a KMS that answers with what was wrapped elsewhere is found out', async () => {
      const wrappedA = await kms.wrap(secret(), 'row a');
      const wrappedB = await kms.wrap(new Secret(Buffer.from(canary)), 'row b');
      const twin = await kms.wrap(new Secret(Buffer.from('another key under the same words')), 'row a');
      for (const [wrapped, aad] of [
        [wrappedB, 'row b'],
        [twin, 'row a'],
      ] as const) {
        await kms.unwrap(wrapped, aad);
        it.repeatLastAnswer?.();
        await isRefused(kms.unwrap(wrappedA, 'row a'), UnwrapError);
        it.answerHonestly?.();
      }
      assert.equal((await kms.unwrap(wrappedA, 'row a')).reveal().toString(), canary);
    });
  }

  if (traits.hasVersions) {
    test('T-081a what was wrapped before a rotation opens after it, also of calls that run', async () => {
      const wrapped = await kms.wrap(secret(), 'row');
      const running = Array.from({ length: 10 }, async () => {
        assert.equal((await kms.unwrap(await kms.wrap(secret(), 'row'), 'row')).reveal().toString(), canary);
      });
      await it.rotate?.();
      await Promise.all(running);
      assert.equal((await kms.unwrap(wrapped, 'row')).reveal().toString(), canary);
      assert.equal((await kms.unwrap(await kms.wrap(secret(), 'row'), 'row')).reveal().toString(), canary);
    });
  }

  for (const outage of traits.outages) {
    test(`F-06 ${outage}: calls end in time as unavailable, and recover by themselves`, async () => {
      const wrapped = await kms.wrap(secret(), 'row');
      // The two tries, the pause between them, and a busy machine.
      const withinMs = 2 * it.timeoutMs + 200 + 3000;
      const running = Array.from({ length: 10 }, () =>
        kms.unwrap(wrapped, 'row').then(() => undefined, keep),
      );
      await it.begin?.(outage);
      try {
        for (const error of await Promise.all(running)) {
          if (error !== undefined) assert.ok(error instanceof KmsUnavailableError, inspect(error));
        }
        const since = performance.now();
        // A start during the outage: it opens, and says so when it is asked.
        const late = await it.open();
        await Promise.all([
          isRefused(kms.unwrap(wrapped, 'row'), KmsUnavailableError),
          isRefused(kms.wrap(secret(), 'row'), KmsUnavailableError),
          isRefused(late.unwrap(wrapped, 'row'), KmsUnavailableError),
        ]);
        assert.ok(performance.now() - since < withinMs, 'a call took too long');
        await late.close();
      } finally {
        await it.end?.(outage);
      }
      await recovered(wrapped);
    });
  }

  for (const disabling of traits.disablings) {
    test(`F-07 ${disabling}: the key is not used, and is again once it may be`, async () => {
      const wrapped = await kms.wrap(secret(), 'row');
      const running = Array.from({ length: 10 }, () =>
        kms.unwrap(wrapped, 'row').then(() => undefined, keep),
      );
      await it.begin?.(disabling);
      try {
        for (const error of await Promise.all(running)) {
          if (error !== undefined) assert.ok(error instanceof KmsKeyDisabledError, inspect(error));
        }
        await isRefused(kms.unwrap(wrapped, 'row'), KmsKeyDisabledError);
        await isRefused(kms.wrap(secret(), 'row'), KmsKeyDisabledError);
      } finally {
        await it.end?.(disabling);
      }
      await recovered(wrapped);
    });
  }

  test('no secret is in any error, log line or printed value', async () => {
    assert.ok(errors.length > 0);
    const printed = [kms, kms.keyId, await it.open(), ...errors].map((value) =>
      inspect(value, { depth: 12, showHidden: true, maxStringLength: null, maxArrayLength: null }),
    );
    const all = [...printed, ...it.logLines, JSON.stringify(kms)].join('\n');
    for (const text of [...it.secrets, canary]) {
      for (const form of [text, Buffer.from(text).toString('base64url'), Buffer.from(text).toString('hex')]) {
        assert.ok(!all.includes(form), 'a secret was printed');
      }
    }
  });

  function keep(error: unknown): unknown {
    errors.push(error);
    return error;
  }

  async function recovered(wrapped: Buffer): Promise<void> {
    const until = performance.now() + 10_000;
    for (;;) {
      try {
        assert.equal((await kms.unwrap(wrapped, 'row')).reveal().toString(), canary);
        return;
      } catch (error) {
        errors.push(error);
        if (performance.now() > until) throw error;
      }
    }
  }
}

function changedAt(bytes: Buffer, index: number): Buffer {
  const changed = Buffer.from(bytes);
  changed[index] = (changed[index] ?? 0) ^ 0x01;
  return changed;
}
