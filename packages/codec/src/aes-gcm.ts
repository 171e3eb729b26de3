import { createCipheriv, createDecipheriv, type KeyObject } from 'node:crypto';

/** Of the samples of all SDKs, and what GCM is made for (NIST SP 800-38D, 8.2.2). */
export const NONCE_BYTES = 12;
const TAG_BYTES = 16;
export const KEY_BYTES = 32;
const CIPHER = 'aes-256-gcm';

/** nonce | ciphertext | tag, with no associated data: the form of the samples. A nonce must never come twice. */
export function seal(key: KeyObject, nonce: Uint8Array, plaintext: Uint8Array): Uint8Array {
  const cipher = createCipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES });
  return Buffer.concat([nonce, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
}

/** Undefined where it was not sealed with this key, or not left as it was. */
export function open(key: KeyObject, box: Uint8Array): Uint8Array | undefined {
  if (box.length < NONCE_BYTES + TAG_BYTES) return undefined;
  // Without the length a shorter tag would pass as well.
  const decipher = createDecipheriv(CIPHER, key, box.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
  decipher.setAuthTag(box.subarray(box.length - TAG_BYTES));
  const plaintext = decipher.update(box.subarray(NONCE_BYTES, box.length - TAG_BYTES));
  try {
    return Buffer.concat([plaintext, decipher.final()]);
  } catch {
    return undefined;
  }
}
