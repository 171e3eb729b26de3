import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { KmsKeyDisabledError, KmsUnavailableError, UnwrapError } from '../kms.ts';
import { Secret } from '../secret.ts';
import { openFramedKms } from './framed-kms.ts';
import type { KeyService } from './key-service.ts';
import { frameOf, joinWrapped, openFrame, splitWrapped } from './wrapped-form.ts';

/** A service that hides and binds nothing: all that is found out here, the frame finds. */
function nakedService(change: Partial<KeyService> = {}): KeyService {
  return {
    keyId: 'naked',
    encrypt: async (plaintext) => Buffer.from(plaintext),
    decrypt: async (ciphertext) => Buffer.from(ciphertext),
    close: async () => undefined,
    ...change,
  };
}

test('T-081b an answer other than the frame of this wrap and these words is refused, whatever it is', async () => {
  let answer: Buffer = Buffer.alloc(0);
  const kms = openFramedKms(nakedService({ decrypt: async () => Buffer.from(answer) }), 1000);
  const wrapped = await kms.wrap(new Secret(Buffer.from('key of a')), 'row a');
  const honest = splitWrapped(wrapped)?.ciphertext ?? Buffer.alloc(0);
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 100 }), fc.nat(honest.length), async (bytes, cut) => {
      for (const lie of [Buffer.from(bytes), honest.subarray(0, cut), Buffer.concat([honest, bytes])]) {
        if (lie.equals(honest)) continue;
        answer = lie;
        await assert.rejects(kms.unwrap(wrapped, 'row a'), UnwrapError);
      }
    }),
  );
  answer = honest;
  assert.equal((await kms.unwrap(wrapped, 'row a')).reveal().toString(), 'key of a');
  for (const [aad, text] of [
    ['row b', 'key of a'],
    ['row a', 'key of b'],
    ['row a', 'key of a'],
  ] as const) {
    answer = splitWrapped(await kms.wrap(new Secret(Buffer.from(text)), aad))?.ciphertext ?? answer;
    await assert.rejects(kms.unwrap(wrapped, 'row a'), UnwrapError);
  }
});

test('damaged bytes are refused without asking the KMS', async () => {
  let asked = 0;
  const kms = openFramedKms(nakedService({ decrypt: async () => Buffer.alloc(++asked) }), 1000);
  const wrapped = await kms.wrap(new Secret(Buffer.from('key')), 'row');
  for (let bit = 0; bit < wrapped.length * 8; bit += 1) {
    const changed = Buffer.from(wrapped);
    changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    await assert.rejects(kms.unwrap(changed, 'row'), UnwrapError);
  }
  assert.equal(asked, 0);
});

test('the frame opens to what went in, and its parts are where they were', () => {
  fc.assert(
    fc.property(
      fc.uint8Array(),
      fc.string(),
      fc.uint8Array({ minLength: 16, maxLength: 16 }),
      (bytes, aad, random) => {
        const mark = Buffer.from(random);
        assert.deepEqual(openFrame(mark, aad, frameOf(mark, aad, bytes)), Buffer.from(bytes));
        const form = { mark, ciphertext: Buffer.from(bytes) };
        assert.deepEqual(splitWrapped(joinWrapped(form)), form);
      },
    ),
  );
});

test('F-06 a KMS that never answers costs two tries of the given time, and they are told to end', async () => {
  const signals: AbortSignal[] = [];
  const hang = (_: Buffer, __: string, signal: AbortSignal): Promise<Buffer> => {
    signals.push(signal);
    return new Promise(() => undefined);
  };
  const kms = openFramedKms(nakedService({ encrypt: hang }), 50);
  const since = performance.now();
  await assert.rejects(kms.wrap(new Secret(Buffer.from('key')), 'row'), KmsUnavailableError);
  const took = performance.now() - since;
  assert.ok(took >= 195 && took < 1500, `${took} ms`);
  assert.deepEqual(
    signals.map((signal) => signal.aborted),
    [true, true],
  );
});

test('F-06 one failure is mended by the second try; what a second try cannot mend is not tried again', async () => {
  const errors = [new KmsUnavailableError('once'), undefined];
  let tries = 0;
  const flaky = openFramedKms(
    nakedService({
      async encrypt(plaintext) {
        tries += 1;
        const error = errors.shift();
        if (error !== undefined) throw error;
        return Buffer.from(plaintext);
      },
    }),
    1000,
  );
  const wrapped = await flaky.wrap(new Secret(Buffer.from('key')), 'row');
  assert.equal((await flaky.unwrap(wrapped, 'row')).reveal().toString(), 'key');
  assert.equal(tries, 2);
  errors.push(new KmsKeyDisabledError('for good'));
  await assert.rejects(flaky.wrap(new Secret(Buffer.from('key')), 'row'), KmsKeyDisabledError);
  assert.equal(tries, 3);
});
