import type { Secret } from './secret.ts';

/**
 * Wraps keys with a key that never leaves it. What is wrapped is bound to `aad`: it opens only under the
 * same words, so a wrapped key copied to another row or file is of no use there.
 */
export interface Kms {
  /** Names the wrapping key, not its bytes. Kept beside what was wrapped, to tell which key is needed. */
  readonly keyId: string;
  wrap(plaintext: Secret, aad: string): Promise<Buffer>;
  /** @throws UnwrapError where the key, the words or the bytes are others; which of them is not told. */
  unwrap(wrapped: Uint8Array, aad: string): Promise<Secret>;
}

/** The one answer to everything that cannot be unwrapped. */
export class UnwrapError extends Error {
  constructor() {
    super('the wrapped key could not be opened');
    this.name = 'UnwrapError';
  }
}
