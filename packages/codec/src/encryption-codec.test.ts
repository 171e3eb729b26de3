import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { inspect } from 'node:util';
import type { PayloadCodec as SdkPayloadCodec } from '@temporalio/common';
import fc from 'fast-check';
import { CodecError } from './codec-error.ts';
import type { CodecKey } from './codec-keys.ts';
import { openEncryptionCodec } from './encryption-codec.ts';
import { openKeyring, RELOAD_PAUSE_MS } from './keyring.ts';
import type { Payload } from './payload.ts';

const keyOf = (id: string, decryptOnly = false): CodecKey => ({
  id,
  key: Buffer.alloc(32, `secret of ${id}`),
  decryptOnly,
});
const text = (value: string): Payload => ({
  metadata: { encoding: Buffer.from('json/plain') },
  data: Buffer.from(JSON.stringify(value)),
});
const metadataOf = (payload: Payload | undefined, key: string) =>
  Buffer.from(payload?.metadata?.[key] ?? []).toString();

async function failureOf(work: Promise<unknown>): Promise<CodecError> {
  const error = await work.then(
    () => assert.fail('was not refused'),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof CodecError, String(error));
  for (const id of ['old', 'new', 'other'])
    for (const form of ['base64', 'hex', 'latin1'] as const)
      assert.ok(!inspect(error).includes(Buffer.from(keyOf(id).key).toString(form)), 'a key was told');
  return error;
}

describe('the encryption codec', () => {
  test('what is decoded is what was encoded, in count and order, whatever it is', async () => {
    const codec = await openEncryptionCodec({ keys: [keyOf('new')] });
    const bytes = fc.uint8Array({ maxLength: 200 });
    const payload = fc.record({ metadata: fc.dictionary(fc.string(), bytes, { maxKeys: 3 }), data: bytes });
    await fc.assert(
      fc.asyncProperty(fc.array(payload, { maxLength: 5 }), async (payloads) => {
        const back = await codec.decode(await codec.encode(payloads));
        const plain = (it: Payload) => [
          Object.entries(it.metadata ?? {}).map(([key, value]) => [key, [...value]]),
          [...(it.data ?? [])],
        ];
        assert.deepEqual(back.map(plain), payloads.map(plain));
      }),
    );
  });

  test("it is the SDK's PayloadCodec, and nothing of a payload is readable in what it makes", async () => {
    const codec: SdkPayloadCodec = await openEncryptionCodec({ keys: [keyOf('new')] });
    const { metadata = {}, data: plain } = text('a plain secret');
    const [made] = await codec.encode([{ metadata, data: plain ?? new Uint8Array() }]);
    assert.deepEqual(Object.keys(made?.metadata ?? {}), ['encoding', 'encryption-key-id']);
    const named = Object.values(made?.metadata ?? {}).map((value) => Buffer.from(value).toString());
    assert.deepEqual(named, ['binary/encrypted', 'new']);
    const data = Buffer.from(made?.data ?? []).toString('latin1');
    assert.ok(!data.includes('secret') && !data.includes('json/plain'));
  });

  test('two payloads alike become two that differ: no nonce comes twice', async () => {
    const codec = await openEncryptionCodec({ keys: [keyOf('new')] });
    const made = await codec.encode(Array.from({ length: 2000 }, () => text('same')));
    const nonces = made.map(({ data }) => Buffer.from(data ?? []).toString('hex', 0, 12));
    assert.equal(new Set(nonces).size, 2000);
  });

  test('a payload that is encrypted already is encrypted once more, and one layer is opened', async () => {
    const codec = await openEncryptionCodec({ keys: [keyOf('new')] });
    const once = await codec.encode([text('nested')]);
    const back = await codec.decode(await codec.encode(once));
    assert.equal(metadataOf(back[0], 'encoding'), 'binary/encrypted');
    assert.deepEqual(Buffer.from((await codec.decode(back))[0]?.data ?? []).toString(), '"nested"');
  });

  test('the newest key encrypts, each decrypts what it encrypted, and a decrypt-only key never encrypts', async () => {
    const before = await openEncryptionCodec({ keys: [keyOf('old')] });
    const prepared = await openEncryptionCodec({ keys: [keyOf('old'), keyOf('new', true)] });
    const after = await openEncryptionCodec({ keys: [keyOf('old'), keyOf('new')] });
    const made = [
      ...(await before.encode([text('1')])),
      ...(await prepared.encode([text('2')])),
      ...(await after.encode([text('3')])),
    ];
    assert.deepEqual(
      made.map((it) => metadataOf(it, 'encryption-key-id')),
      ['old', 'old', 'new'],
    );
    for (const codec of [prepared, after])
      assert.deepEqual(
        (await codec.decode(made)).map((it) => Buffer.from(it.data ?? []).toString()),
        ['"1"', '"2"', '"3"'],
      );
  });

  test('T-070b an unknown key is an error that names its id and holds no key material', async () => {
    const made = await (await openEncryptionCodec({ keys: [keyOf('other')] })).encode([text('x')]);
    const codec = await openEncryptionCodec({ keys: [keyOf('new')] });
    const error = await failureOf(codec.decode(made));
    assert.deepEqual([error.code, error.keyId], ['unknown_key', 'other']);
    assert.equal(error.message, 'the key "other" of a payload is not among the keys here');
    assert.equal(error.cause, undefined);
  });

  test("a key id of a stranger's cannot fill or break a log", async () => {
    const codec = await openEncryptionCodec({ keys: [keyOf('new')] });
    const [made] = await codec.encode([text('x')]);
    const metadata = { ...made?.metadata, 'encryption-key-id': Buffer.from(`\n${'k'.repeat(5000)}`) };
    const error = await failureOf(codec.decode([{ ...made, metadata }]));
    assert.ok(error.message.length < 200 && !error.message.includes('\n'), error.message);
  });

  test('what was altered anywhere, cut, or made with another key under the same id is damaged', async () => {
    const codec = await openEncryptionCodec({ keys: [keyOf('new')] });
    const [made = {}] = await codec.encode([text('x')]);
    const data = Buffer.from(made.data ?? []);
    const broken = [new Uint8Array(), data.subarray(0, 27), data.subarray(0, -1), data.subarray(1)];
    for (let at = 0; at < data.length; at += 1) {
      const altered = Buffer.from(data);
      altered[at] = (altered[at] ?? 0) ^ 1;
      broken.push(altered);
    }
    for (const each of broken)
      assert.equal((await failureOf(codec.decode([{ ...made, data: each }]))).code, 'damaged');
    const impostor = await openEncryptionCodec({ keys: [{ id: 'new', key: keyOf('other').key }] });
    assert.equal((await failureOf(impostor.decode([made]))).code, 'damaged');
    const nameless = { ...made, metadata: { encoding: Buffer.from('binary/encrypted') } };
    assert.equal((await failureOf(codec.decode([nameless]))).code, 'damaged');
  });

  test('what is not encrypted passes untouched, and a strict codec refuses it by its encoding', async () => {
    const plain = [text('x'), {}, { metadata: { encoding: Buffer.from('binary/null') } }];
    const codec = await openEncryptionCodec({ keys: [keyOf('new')] });
    const back = await codec.decode(plain);
    for (const [index, payload] of back.entries()) assert.equal(payload, plain[index]);
    const strict = await openEncryptionCodec({ keys: [keyOf('new')], strict: true });
    const error = await failureOf(strict.decode(plain));
    assert.equal(error.code, 'not_encrypted');
    assert.match(error.message, /a payload of encoding "json\/plain" is not encrypted/);
    assert.match((await failureOf(strict.decode([{}]))).message, /without an encoding/);
    assert.equal((await strict.decode(await strict.encode([text('x')]))).length, 1);
  });

  test('a key that arrives later is loaded when a payload names it, once for all who ask', async () => {
    let [loads, time] = [0, 0];
    let keys = [keyOf('old')];
    const codec = await openKeyring(
      async () => {
        loads += 1;
        return keys;
      },
      { now: () => time },
    );
    time += RELOAD_PAUSE_MS;
    keys = [keyOf('old'), keyOf('new')];
    const found = await Promise.all([codec.find('new'), codec.find('new'), codec.find('old')]);
    assert.ok(found.every((key) => key !== undefined));
    assert.equal(loads, 2);
    assert.equal(codec.newest().id, 'new');
  });

  test('unknown keys load the keys again at most once in a pause, and a failure leaves the old keys', async () => {
    let time = 0;
    let loads = 0;
    const failures: unknown[] = [];
    const ring = await openKeyring(
      async () => {
        loads += 1;
        if (loads > 1) throw new Error('the KMS is away');
        return [keyOf('old')];
      },
      { now: () => time, onReloadError: (error) => failures.push(error) },
    );
    for (let asked = 0; asked < 100; asked += 1) assert.equal(await ring.find(`none-${asked}`), undefined);
    assert.equal(loads, 1);
    time += RELOAD_PAUSE_MS;
    for (let asked = 0; asked < 100; asked += 1) assert.equal(await ring.find(`none-${asked}`), undefined);
    assert.deepEqual([loads, failures.length], [2, 1]);
    assert.equal(ring.newest().id, 'old');
    await assert.rejects(ring.reload(), /the KMS is away/);
  });

  test('T-100 a codec prints without its keys', async () => {
    const codec = await openEncryptionCodec({ keys: [keyOf('new')] });
    const ring = await openKeyring(async () => [keyOf('new')]);
    const printed = [codec, ring, ring.newest()].map(
      (it) => `${inspect(it, { depth: 9, showHidden: true })} ${JSON.stringify(it)}`,
    );
    assert.ok(!printed.join().includes('secret'));
    assert.ok(!printed.join().includes(Buffer.from(keyOf('new').key).toString('base64')));
  });
});
