import { createSecretKey, randomBytes } from 'node:crypto';
import { aadOf, openBox, sealBox } from '../aead.ts';

/** AES-256. */
const KEY_BYTES = 32;
/** What names a key's version; bounded, since it becomes part of a URL. */
const VERSION = /^[0-9A-Za-z]{1,64}$/;

/** A local key as the KMS wrapped it, and the version of the KMS' key that opens it. */
export interface WrappedLocalKey {
  readonly version: string;
  readonly wrapped: Buffer;
}

/**
 * For a KMS that binds no words: it wraps a fresh local key, and that seals the plaintext under the words.
 *
 *     length of version (1) | version | length of wrapped key (2) | wrapped key | box of aead.ts
 *
 * The words of the box take in version and wrapped key, so that a box goes with its own alone.
 */
export async function sealUnderLocalKey(
  aad: string,
  plaintext: Uint8Array,
  wrap: (localKey: Buffer) => Promise<WrappedLocalKey>,
): Promise<Buffer> {
  const bytes = randomBytes(KEY_BYTES);
  try {
    const { version, wrapped } = await wrap(bytes);
    if (!VERSION.test(version) || wrapped.length > 0xffff)
      throw new RangeError('a wrapped key that does not fit');
    const length = Buffer.alloc(2);
    length.writeUInt16BE(wrapped.length);
    const box = sealBox(createSecretKey(bytes), bind(version, wrapped, aad), plaintext);
    return Buffer.concat([Buffer.of(version.length), Buffer.from(version, 'ascii'), length, wrapped, box]);
  } finally {
    bytes.fill(0);
  }
}

/** `undefined` for what is not whole, ours and under these words. Whatever `unwrap` throws goes through. */
export async function openUnderLocalKey(
  aad: string,
  sealed: Buffer,
  unwrap: (key: WrappedLocalKey) => Promise<Buffer>,
): Promise<Buffer | undefined> {
  const versionEnd = 1 + (sealed[0] ?? 0);
  if (sealed.length < versionEnd + 2) return undefined;
  const version = sealed.toString('latin1', 1, versionEnd);
  const wrappedEnd = versionEnd + 2 + sealed.readUInt16BE(versionEnd);
  if (!VERSION.test(version) || sealed.length < wrappedEnd) return undefined;
  const wrapped = sealed.subarray(versionEnd + 2, wrappedEnd);
  const bytes = await unwrap({ version, wrapped });
  try {
    if (bytes.length !== KEY_BYTES) return undefined;
    return openBox(createSecretKey(bytes), bind(version, wrapped, aad), sealed.subarray(wrappedEnd));
  } finally {
    bytes.fill(0);
  }
}

function bind(version: string, wrapped: Buffer, aad: string): Buffer {
  return aadOf('gatehouse kms local key', version, wrapped.toString('base64'), aad);
}
