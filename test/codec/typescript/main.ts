/** Encodes or decodes payloads as the TypeScript SDK's encryption sample does. */
import { webcrypto } from 'node:crypto';
import { createRequire } from 'node:module';
import { text } from 'node:stream/consumers';
import type { DataConverter } from '@temporalio/client';

// CommonJS, and without named exports that Node could see.
const { temporal } = createRequire(import.meta.url)('@temporalio/proto');
const { Payload: PayloadProto, Payloads: PayloadsProto } = temporal.api.common.v1;

type PayloadCodec = NonNullable<DataConverter['payloadCodecs']>[number];
type Payload = Parameters<PayloadCodec['encode']>[0][number];

const NONCE_BYTES = 12;
const { subtle } = webcrypto;

class Encryption implements PayloadCodec {
  readonly #keys = new Map<string, webcrypto.CryptoKey>();
  #newest = '';

  static async open(lines: string): Promise<Encryption> {
    const codec = new Encryption();
    for (const line of lines.split(';')) {
      const [id = '', key = ''] = line.split(' ');
      const bytes = Buffer.from(key, 'base64');
      codec.#keys.set(id, await subtle.importKey('raw', bytes, 'AES-GCM', false, ['encrypt', 'decrypt']));
      codec.#newest = id;
    }
    return codec;
  }

  async encode(payloads: Payload[]): Promise<Payload[]> {
    return await Promise.all(
      payloads.map(async (payload) => {
        const plain: Uint8Array = PayloadProto.encode(payload).finish();
        const iv = webcrypto.getRandomValues(new Uint8Array(NONCE_BYTES));
        const key = this.#key(this.#newest);
        const sealed = await subtle.encrypt({ name: 'AES-GCM', iv }, key, Uint8Array.from(plain));
        return {
          metadata: {
            encoding: Buffer.from('binary/encrypted'),
            'encryption-key-id': Buffer.from(this.#newest),
          },
          data: Buffer.concat([iv, new Uint8Array(sealed)]),
        };
      }),
    );
  }

  async decode(payloads: Payload[]): Promise<Payload[]> {
    return await Promise.all(
      payloads.map(async (payload) => {
        const word = (name: string) => Buffer.from(payload.metadata?.[name] ?? []).toString();
        if (word('encoding') !== 'binary/encrypted') return payload;
        const data = Uint8Array.from(payload.data ?? []);
        const algorithm = { name: 'AES-GCM', iv: data.subarray(0, NONCE_BYTES) };
        const key = this.#key(word('encryption-key-id'));
        return PayloadProto.decode(
          new Uint8Array(await subtle.decrypt(algorithm, key, data.subarray(NONCE_BYTES))),
        );
      }),
    );
  }

  #key(id: string): webcrypto.CryptoKey {
    const key = this.#keys.get(id);
    if (key === undefined) throw new Error(`no key ${id}`);
    return key;
  }
}

const codec = await Encryption.open(process.env['CODEC_KEYS'] ?? '');
// The library's `fromObject` reads base64 where bytes belong, which is protobuf's JSON.
const { payloads } = PayloadsProto.fromObject(JSON.parse(await text(process.stdin)));
const done = await (process.argv[2] === 'encode' ? codec.encode(payloads) : codec.decode(payloads));
const message = PayloadsProto.fromObject({ payloads: done });
process.stdout.write(JSON.stringify(PayloadsProto.toObject(message, { bytes: String, longs: String })));
