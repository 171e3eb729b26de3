import { open, seal } from './aes-gcm.ts';
import { CodecError, quote } from './codec-error.ts';
import type { CodecKey, KeyProvider } from './codec-keys.ts';
import { type Keyring, type KeyringOptions, openKeyring } from './keyring.ts';
import { freshNonce } from './nonce.ts';
import { ENCODING_KEY, type Payload, type PayloadCodec } from './payload.ts';
import { decodePayload, encodePayload } from './payload-proto.ts';

export interface EncryptionCodecOptions extends Pick<KeyringOptions, 'onReloadError'> {
  /** The keys, oldest first, or what loads them: `keysFromFile`, `keysFromEnvironment`, `wrappedKeys`, your own. */
  readonly keys: readonly CodecKey[] | KeyProvider;
  /**
   * Refuse to decode what is not encrypted, instead of passing it through. Only where nothing else writes payloads:
   * those that the Temporal Server makes itself are never encrypted.
   */
  readonly strict?: boolean;
}

/** An SDK's PayloadCodec that can load its keys again. */
export interface EncryptionCodec extends PayloadCodec {
  /** Loads the keys again, for a rotation that should take effect now. On a fault the old ones stay. */
  reload(): Promise<void>;
}

/** The samples of the Go, Java, Python and TypeScript SDKs say it so. */
const ENCRYPTED = Buffer.from('binary/encrypted');
const KEY_ID_KEY = 'encryption-key-id';

/**
 * Loads the keys and gives a codec that encrypts every payload whole, metadata included, with AES-256-GCM: byte for
 * byte in the form of the encryption samples of the other SDKs, so that their Workers read it and it reads theirs.
 * @throws CodecError `bad_keys`; whatever the provider of the keys throws.
 */
export async function openEncryptionCodec(options: EncryptionCodecOptions): Promise<EncryptionCodec> {
  const { keys, strict = false, ...ringOptions } = options;
  const provider: KeyProvider = typeof keys === 'function' ? keys : async () => keys;
  const ring = await openKeyring(provider, ringOptions);
  return {
    async encode<P extends Payload>(payloads: P[]) {
      return payloads.map((payload) => encrypt(ring, payload) as P);
    },
    async decode<P extends Payload>(payloads: P[]) {
      return await Promise.all(payloads.map(async (payload) => (await decrypt(ring, payload, strict)) as P));
    },
    reload: () => ring.reload(),
  };
}

/** Whatever it is, an encrypted payload included: what comes back is then what was given. */
function encrypt(ring: Keyring, payload: Payload): Payload {
  const { id, key } = ring.newest();
  const plaintext = encodePayload(payload);
  return {
    metadata: { [ENCODING_KEY]: ENCRYPTED, [KEY_ID_KEY]: Buffer.from(id, 'utf8') },
    data: seal(key, freshNonce(plaintext), plaintext),
    // The server counts what lies outside by what the outer payload says.
    ...(payload.externalPayloads?.length ? { externalPayloads: payload.externalPayloads } : {}),
  };
}

async function decrypt(ring: Keyring, payload: Payload, strict: boolean): Promise<Payload> {
  if (!isEncrypted(payload)) {
    if (strict) throw notEncrypted(payload);
    return payload;
  }
  const id = textOf(payload, KEY_ID_KEY);
  if (id === undefined) throw new CodecError('damaged', 'an encrypted payload does not name its key');
  const key = await ring.find(id);
  if (key === undefined)
    throw new CodecError('unknown_key', `the key ${quote(id)} of a payload is not among the keys here`, id);
  const plaintext = open(key, payload.data ?? new Uint8Array());
  const damaged = () =>
    new CodecError('damaged', `a payload is not what was encrypted with the key ${quote(id)}`);
  if (plaintext === undefined) throw damaged();
  try {
    return decodePayload(plaintext);
  } catch {
    // The key is right and the message is not: made by something else than a codec. Its text stays here.
    throw damaged();
  }
}

function isEncrypted(payload: Payload): boolean {
  const encoding = payload.metadata?.[ENCODING_KEY];
  return encoding != null && ENCRYPTED.equals(encoding);
}

function notEncrypted(payload: Payload): CodecError {
  const encoding = textOf(payload, ENCODING_KEY);
  const which = encoding === undefined ? 'without an encoding' : `of encoding ${quote(encoding)}`;
  return new CodecError('not_encrypted', `a payload ${which} is not encrypted`);
}

function textOf(payload: Payload, key: string): string | undefined {
  const value = payload.metadata?.[key];
  return value == null ? undefined : Buffer.from(value).toString('utf8');
}
