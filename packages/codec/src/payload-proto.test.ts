import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodePayload, encodePayload } from './payload-proto.ts';

/** The SDK's own protobuf classes, the witness of what is right; they are CommonJS, and typed for that. */
const { temporal } = createRequire(import.meta.url)('@temporalio/proto');
const SdkPayload = temporal.api.common.v1.Payload;

const bytes = fc.uint8Array({ maxLength: 300 });
const payloads = fc.record({
  metadata: fc.dictionary(fc.string({ unit: 'grapheme', maxLength: 20 }), bytes, { maxKeys: 4 }),
  data: bytes,
  externalPayloads: fc.array(fc.record({ sizeBytes: fc.maxSafeNat() }), { maxLength: 2 }),
});

const plain = (payload: ReturnType<typeof decodePayload>) => ({
  metadata: Object.fromEntries(
    Object.entries(payload.metadata ?? {}).map(([key, value]) => [key, Buffer.from(value).toString('hex')]),
  ),
  data: Buffer.from(payload.data ?? []).toString('hex'),
  sizes: (payload.externalPayloads ?? []).map(({ sizeBytes }) => Number(sizeBytes)),
});

test("every payload that is written is read by the SDK's protobuf as what it was", () => {
  fc.assert(
    fc.property(payloads, (payload) => {
      assert.deepEqual(plain(SdkPayload.decode(encodePayload(payload))), plain(payload));
    }),
  );
});

test("every payload that the SDK's protobuf writes is read as what it was", () => {
  fc.assert(
    fc.property(payloads, (payload) => {
      const written: Uint8Array = SdkPayload.encode(payload).finish();
      assert.deepEqual(plain(decodePayload(written)), plain(payload));
      assert.deepEqual(Buffer.from(encodePayload(payload)), Buffer.from(written));
    }),
  );
});

test('the size of an external payload may be a Long of the SDK, and no size is none', () => {
  const { low, high } = { low: -1, high: 3 };
  const payload = { externalPayloads: [{ sizeBytes: { low, high, unsigned: false } }, {}] };
  assert.deepEqual(plain(decodePayload(encodePayload(payload))).sizes, [4 * 2 ** 32 - 1, 0]);
});

test('a metadata key may be called __proto__', () => {
  const metadata = Object.fromEntries([['__proto__', new Uint8Array([1])]]);
  const read = decodePayload(encodePayload({ metadata })).metadata ?? {};
  assert.deepEqual(Object.keys(read), ['__proto__']);
  assert.equal(Object.getPrototypeOf(read), Object.prototype);
});

test('fields that are not known are skipped, and what is cut off is refused', () => {
  const known = Buffer.from(
    encodePayload({ metadata: { a: new Uint8Array([1]) }, data: new Uint8Array([2]) }),
  );
  const unknown = Buffer.from('3801450000000049000000000000000052026869', 'hex');
  assert.deepEqual(plain(decodePayload(Buffer.concat([unknown, known]))), plain(decodePayload(known)));
  for (let end = 1; end < known.length; end += 1) {
    // Between two fields a message may end.
    if (end === known.length - 3) continue;
    assert.throws(() => decodePayload(known.subarray(0, end)), RangeError, `cut at ${end}`);
  }
  for (const broken of ['0b', '00', '0a80', `0a${'ff'.repeat(11)}`, '0801', '0a020801'])
    assert.throws(() => decodePayload(Buffer.from(broken, 'hex')), RangeError, broken);
  // A key that is no UTF-8: the SDKs refuse it too.
  assert.throws(() => decodePayload(Buffer.from('0a030a01ff', 'hex')), TypeError);
});

test('random bytes are read or refused, and nothing else happens', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (input) => {
      try {
        decodePayload(input);
      } catch (error) {
        assert.ok(error instanceof RangeError || error instanceof TypeError, String(error));
      }
    }),
  );
});
