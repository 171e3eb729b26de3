import { createSecretKey } from 'node:crypto';
import { NONCE_BYTES, seal } from './aes-gcm.ts';
import { CodecError } from './codec-error.ts';
import { openEncryptionCodec } from './encryption-codec.ts';
import { ENCODING_KEY, type Payload } from './payload.ts';
import { decodePayload, encodePayload } from './payload-proto.ts';

const key = Buffer.alloc(32, 'key');
const sealingKey = createSecretKey(key);
const codec = await openEncryptionCodec({ keys: [{ id: 'k1', key }] });
const strict = await openEncryptionCodec({ keys: [{ id: 'k1', key }], strict: true });
const MESSAGE_CHARS_MAX = 800;

/** Whatever a server gives back is decoded, passed through or refused as what it is; what was encoded comes back. */
export async function fuzz(bytes: Buffer): Promise<void> {
  const flags = bytes[0] ?? 0;
  const content = bytes.subarray(1);
  // Under the right key, but made by something else than a codec.
  if ((flags & 1) === 1) return await decode(sealed(seal(sealingKey, Buffer.alloc(NONCE_BYTES), content)));
  if ((flags & 2) === 2) return await decode(sealed(content));
  let payload: Payload;
  try {
    payload = decodePayload(content);
  } catch {
    return;
  }
  await decode(payload);
  const [encoded] = await codec.encode([payload]);
  const [decoded] = await strict.decode(encoded === undefined ? [] : [encoded]);
  const isSame = decoded !== undefined && Buffer.from(encodePayload(decoded)).equals(encodePayload(payload));
  if (!isSame) throw new Error('another payload comes back');
}

function sealed(data: Uint8Array): Payload {
  const metadata = {
    [ENCODING_KEY]: Buffer.from('binary/encrypted'),
    'encryption-key-id': Buffer.from('k1'),
  };
  return { metadata, data };
}

async function decode(payload: Payload): Promise<void> {
  for (const each of [codec, strict]) {
    try {
      await each.decode([payload]);
    } catch (error) {
      if (!(error instanceof CodecError)) throw error;
      if (error.message.length > MESSAGE_CHARS_MAX)
        throw new Error(`a message of ${error.message.length} characters`);
    }
  }
}

export const protobufFrom = 1;

export function seeds(): string[] {
  const plain = '\x0a\x16\x0a\x08encoding\x12\x0ajson/plain\x12\x03"x"';
  const encrypted = '\x0a\x1c\x0a\x08encoding\x12\x10binary/encrypted';
  const id = '\x0a\x17\x0a\x11encryption-key-id\x12\x02k1';
  return [`\0${plain}`, `\x01${plain}`, `\0${encrypted}${id}\x12\x03abc`, `\0${encrypted}`, `\x01\x0d123`];
}
