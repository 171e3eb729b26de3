import assert from 'node:assert/strict';
import { createSecretKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { NONCE_BYTES, open, seal } from './aes-gcm.ts';
import type { CodecKey } from './codec-keys.ts';
import { openEncryptionCodec } from './encryption-codec.ts';
import type { Payload } from './payload.ts';
import { encodePayload } from './payload-proto.ts';
import { formatPayloads, parsePayloads } from './server/payloads-json.ts';

interface Vectors {
  readonly keys: readonly { readonly id: string; readonly key: string }[];
  readonly payloads: unknown;
  readonly encoded: Readonly<Record<string, unknown>>;
}

const vectors = JSON.parse(
  readFileSync(new URL('../vectors/encryption.json', import.meta.url), 'utf8'),
) as Vectors;
const keys: CodecKey[] = vectors.keys.map(({ id, key }) => ({ id, key: Buffer.from(key, 'base64') }));
const read = (payloads: unknown): Payload[] => parsePayloads(Buffer.from(JSON.stringify({ payloads })));
describe('the shared vectors, made by the programs of test/codec', () => {
  test('there are some of each SDK and each key', () => {
    const names = ['typescript', 'python', 'go', 'java'].flatMap((it) => [
      `${it}/test-key-id`,
      `${it}/2026-11`,
    ]);
    assert.deepEqual(Object.keys(vectors.encoded).sort(), names.sort());
  });

  for (const [name, encoded] of Object.entries(vectors.encoded)) {
    test(`what ${name} encoded is decoded`, async () => {
      const codec = await openEncryptionCodec({ keys, strict: true });
      const decoded = await codec.decode(read(encoded));
      assert.deepEqual(normal(decoded), normal(read(vectors.payloads)));
    });

    test(`with the nonces of ${name} the same bytes are made`, () => {
      for (const [index, payload] of read(encoded).entries()) {
        const id = Buffer.from(payload.metadata?.['encryption-key-id'] ?? []).toString();
        const key = createSecretKey(keys.find((it) => it.id === id)?.key ?? Buffer.alloc(0));
        const data = Buffer.from(payload.data ?? []);
        const plaintext = open(key, data);
        assert.ok(plaintext !== undefined);
        assert.deepEqual(Buffer.from(seal(key, data.subarray(0, NONCE_BYTES), plaintext)), data);
        // The entries of a map have no order: only one that has a single entry is written in one way.
        const [original = {}] = read(vectors.payloads).slice(index);
        if (Object.keys(original.metadata ?? {}).length > 1) continue;
        assert.deepEqual(Buffer.from(encodePayload(original)), Buffer.from(plaintext));
      }
    });
  }

  test('a payload of each key is refused where that key is missing', async () => {
    for (const missing of keys) {
      const codec = await openEncryptionCodec({ keys: keys.filter((it) => it !== missing) });
      for (const [name, encoded] of Object.entries(vectors.encoded)) {
        if (!name.endsWith(`/${missing.id}`)) continue;
        await assert.rejects(codec.decode(read(encoded)), { code: 'unknown_key', keyId: missing.id });
      }
    }
  });
});

/** With the entries of each map in one order. */
function normal(payloads: Payload[]): unknown {
  return (JSON.parse(formatPayloads(payloads)) as { payloads: Record<string, unknown>[] }).payloads.map(
    (it) => ({
      ...it,
      metadata: Object.entries(it['metadata'] ?? {}).sort(([a], [b]) => (a < b ? -1 : 1)),
    }),
  );
}
