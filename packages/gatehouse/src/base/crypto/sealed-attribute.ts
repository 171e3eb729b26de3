import { createHmac, type KeyObject, timingSafeEqual } from 'node:crypto';
import { aadOf } from './aead.ts';
import { GCM_NONCE_BYTES, GCM_TAG_BYTES, openGcm, sealGcm } from './aes-gcm.ts';
import { deriveKey } from './data-key.ts';

/** Says that a text is a sealed value, and of which version. Bound by being the only one that opens. */
const PREFIX = 'gh1.';
/** A Keyword of the visibility stores holds 255 characters (data-plane.md section 4). */
const TEXT_LENGTH_MAX = 255;
const KEY_ID_BYTES = 8;
const NONCE_END = KEY_ID_BYTES + GCM_NONCE_BYTES;
const OVERHEAD_BYTES = NONCE_END + GCM_TAG_BYTES;

/** The longest value in bytes of UTF-8 that can be sealed: 152. Base64url keeps 6 bits per character. */
export const ATTRIBUTE_VALUE_BYTES_MAX =
  Math.floor(((TEXT_LENGTH_MAX - PREFIX.length) * 6) / 8) - OVERHEAD_BYTES;

/** One attribute key of one namespace. */
export interface AttributeSealer {
  /** `undefined` where the value is longer than {@link ATTRIBUTE_VALUE_BYTES_MAX}. */
  seal(attribute: string, value: string): string | undefined;
  /** Opens what {@link parseSealedAttribute} gave. `undefined` for what it did not seal for this attribute. */
  open(attribute: string, sealed: Buffer): string | undefined;
}

/**
 * Deterministic sealing, so that equality can be asked of ciphertext: the nonce is HMAC-SHA256 over attribute
 * and value, cut to 96 bits, under a key of its own; then AES-256-GCM under another (the shape of SIV, RFC
 * 5297). Equal nonces mean equal values but for a chance of 2^-33 over 2^32 different values of one key.
 *
 * What it tells, by its nature: which values of one attribute in one namespace are equal, how often each
 * stands, and their lengths in bytes. Not: equality between two attributes, namespaces or keys (T-083). Who
 * may have values of his choice sealed in that namespace and reads the store can try guesses.
 *
 * Bytes are compared, as the stores do: no case folding or normalization. A lone surrogate is U+FFFD, as the
 * engine reads it from JSON.
 * @param scope region, account and namespace uuid.
 */
export function createAttributeSealer(
  key: KeyObject,
  keyId: string,
  scope: readonly string[],
): AttributeSealer {
  const nonceKey = deriveKey(key, NO_SALT, aadOf('gatehouse attribute nonce', ...scope));
  const boxKey = deriveKey(key, NO_SALT, aadOf('gatehouse attribute box', ...scope));
  const id = Buffer.from(keyId, 'hex');

  const nonceOf = (name: Buffer, value: Uint8Array): Buffer =>
    createHmac('sha256', nonceKey)
      .update(Buffer.concat([name, value]))
      .digest()
      .subarray(0, GCM_NONCE_BYTES);
  const aadFor = (attribute: string): Buffer => aadOf('gatehouse attribute', ...scope, keyId, attribute);

  return Object.freeze({
    seal(attribute: string, value: string) {
      const plaintext = Buffer.from(value, 'utf8');
      if (plaintext.length > ATTRIBUTE_VALUE_BYTES_MAX) return undefined;
      const nonce = nonceOf(aadOf(attribute), plaintext);
      const box = Buffer.alloc(plaintext.length + OVERHEAD_BYTES);
      box.set(id, 0);
      box.set(nonce, KEY_ID_BYTES);
      sealGcm(boxKey, nonce, aadFor(attribute), plaintext, box, NONCE_END);
      return PREFIX + box.toString('base64url');
    },
    open(attribute: string, sealed: Buffer) {
      const nonce = sealed.subarray(KEY_ID_BYTES, NONCE_END);
      const plaintext = openGcm(boxKey, nonce, aadFor(attribute), sealed.subarray(NONCE_END));
      if (plaintext === undefined) return undefined;
      // Else whoever holds the key of boxes alone could write two texts for one value.
      if (!timingSafeEqual(nonce, nonceOf(aadOf(attribute), plaintext))) return undefined;
      return plaintext.toString('utf8');
    },
  });
}

const NO_SALT = Buffer.alloc(0);

/** The bytes of a sealed value; `undefined` for every text that is not exactly one of ours in form. */
export function parseSealedAttribute(text: string): Buffer | undefined {
  if (text.length > TEXT_LENGTH_MAX || !text.startsWith(PREFIX)) return undefined;
  const bytes = Buffer.from(text.slice(PREFIX.length), 'base64url');
  // The decoder skips what it does not know: only the one spelling of these bytes is ours.
  if (bytes.length < OVERHEAD_BYTES || PREFIX + bytes.toString('base64url') !== text) return undefined;
  return bytes;
}

/** Hex, as keys are named in the directory. */
export function keyIdOfSealedAttribute(sealed: Buffer): string {
  return sealed.toString('hex', 0, KEY_ID_BYTES);
}
