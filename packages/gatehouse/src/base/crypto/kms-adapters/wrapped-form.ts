import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { aadOf } from '../aead.ts';

/** First byte outside and inside; another layout gets another number. */
const VERSION = 1;
/** Random and of one wrap alone, so that the answer to another wrap under the same words is known for what it is. */
const MARK_BYTES = 16;
/** Finds what was damaged on its way; it is no protection, since anyone can compute it. */
const CHECK_BYTES = 8;
const HEAD_BYTES = 1 + MARK_BYTES + CHECK_BYTES;
const DIGEST_BYTES = 32;

/** What is stored of a wrapped key: version (1) | mark (16) | check (8) | the KMS' ciphertext. */
export interface WrappedForm {
  readonly mark: Buffer;
  readonly ciphertext: Buffer;
}

export function createMark(): Buffer {
  return randomBytes(MARK_BYTES);
}

export function joinWrapped({ mark, ciphertext }: WrappedForm): Buffer {
  return Buffer.concat([Buffer.of(VERSION), mark, checkOf(mark, ciphertext), ciphertext]);
}

/** `undefined` for what is not ours or is damaged: the KMS is not asked about it. */
export function splitWrapped(bytes: Uint8Array): WrappedForm | undefined {
  if (bytes.length < HEAD_BYTES || bytes[0] !== VERSION) return undefined;
  const mark = Buffer.from(bytes.subarray(1, 1 + MARK_BYTES));
  const ciphertext = Buffer.from(bytes.subarray(HEAD_BYTES));
  const check = bytes.subarray(1 + MARK_BYTES, HEAD_BYTES);
  return timingSafeEqual(check, checkOf(mark, ciphertext)) ? { mark, ciphertext } : undefined;
}

/**
 * What the KMS is given to encrypt: version (1) | digest (32) | plaintext. The digest covers the words, the mark
 * and the plaintext, so that a KMS that answers with what was wrapped elsewhere, or with a part, is found out
 * (T-081b), also one that pays no heed to the words itself.
 */
export function frameOf(mark: Buffer, aad: string, plaintext: Uint8Array): Buffer {
  return Buffer.concat([Buffer.of(VERSION), digestOf(mark, aad, plaintext), plaintext]);
}

/** The plaintext of a frame, not copied; `undefined` for every frame but the one of this mark and these words. */
export function openFrame(mark: Buffer, aad: string, frame: Buffer): Buffer | undefined {
  if (frame.length < 1 + DIGEST_BYTES || frame[0] !== VERSION) return undefined;
  const plaintext = frame.subarray(1 + DIGEST_BYTES);
  const digest = frame.subarray(1, 1 + DIGEST_BYTES);
  return timingSafeEqual(digest, digestOf(mark, aad, plaintext)) ? plaintext : undefined;
}

function digestOf(mark: Buffer, aad: string, plaintext: Uint8Array): Buffer {
  const words = aadOf('gatehouse kms frame', mark.toString('hex'), aad);
  return createHash('sha256').update(words).update(plaintext).digest();
}

function checkOf(mark: Buffer, ciphertext: Buffer): Buffer {
  const hash = createHash('sha256').update(aadOf('gatehouse kms wrapped', mark.toString('hex')));
  return hash.update(ciphertext).digest().subarray(0, CHECK_BYTES);
}
