import { createCipheriv, createDecipheriv, type KeyObject, randomBytes } from 'node:crypto';

/** First byte of every box: another layout or cipher gets another number. */
const BOX_VERSION = 1;
/** 96 bits, the only length that GCM uses as it is (NIST SP 800-38D section 5.2.1.1). */
const NONCE_BYTES = 12;
/** The full tag. Node accepts shorter ones unless the length is given. */
const TAG_BYTES = 16;
const CIPHER = 'aes-256-gcm';

/**
 * Seals bytes with AES-256-GCM: version, random nonce, ciphertext, tag. With random nonces one key may seal
 * 2^32 boxes (SP 800-38D section 8.3): wrapping keys stay far below, data keys are made for one box.
 */
export function sealBox(key: KeyObject, aad: Uint8Array, plaintext: Uint8Array): Buffer {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(aad);
  const body = cipher.update(plaintext);
  const last = cipher.final();
  return Buffer.concat([Buffer.of(BOX_VERSION), nonce, body, last, cipher.getAuthTag()]);
}

/** Opens a box of {@link sealBox}. `undefined` for every box that is not whole, ours and under this key. */
export function openBox(key: KeyObject, aad: Uint8Array, box: Uint8Array): Buffer | undefined {
  if (box.length < 1 + NONCE_BYTES + TAG_BYTES || box[0] !== BOX_VERSION) return undefined;
  const bodyStart = 1 + NONCE_BYTES;
  const bodyEnd = box.length - TAG_BYTES;
  const decipher = createDecipheriv(CIPHER, key, box.subarray(1, bodyStart), { authTagLength: TAG_BYTES });
  decipher.setAAD(aad);
  decipher.setAuthTag(box.subarray(bodyEnd));
  const body = decipher.update(box.subarray(bodyStart, bodyEnd));
  try {
    return Buffer.concat([body, decipher.final()]);
  } catch {
    // final() throws for a wrong tag and for nothing else; the bytes before it are not to be used.
    body.fill(0);
    return undefined;
  }
}

/** Joins words so that no two lists of words give the same bytes: each has its length in front. */
export function aadOf(...words: readonly string[]): Buffer {
  const parts = words.flatMap((word) => {
    const bytes = Buffer.from(word, 'utf8');
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    return [length, bytes];
  });
  return Buffer.concat(parts);
}
