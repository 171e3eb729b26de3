import type { Secret } from './secret.ts';

/**
 * Wraps keys with a key that never leaves it. What is wrapped is bound to `aad`: it opens only under the
 * same words, so a wrapped key copied to another row or file is of no use there.
 */
export interface Kms {
  /** Names the wrapping key, not its bytes. Kept beside what was wrapped, to tell which key is needed. */
  readonly keyId: string;
  /** @throws KmsUnavailableError, KmsKeyDisabledError */
  wrap(plaintext: Secret, aad: string): Promise<Buffer>;
  /**
   * @throws UnwrapError where the key, the words or the bytes are others; which of them is not told.
   * @throws KmsUnavailableError, KmsKeyDisabledError
   */
  unwrap(wrapped: Uint8Array, aad: string): Promise<Secret>;
  /** Lets go of connections and renewals. What was unwrapped stays usable. */
  close(): Promise<void>;
}

/** The one answer to everything that cannot be unwrapped. */
export class UnwrapError extends Error {
  constructor() {
    super('the wrapped key could not be opened');
    this.name = 'UnwrapError';
  }
}

/** The KMS gave no answer, or asks to be asked again: nothing is known of the key (F-06). */
export class KmsUnavailableError extends Error {
  constructor(problem: string, options?: ErrorOptions) {
    super(`the KMS cannot be reached: ${problem}`, options);
    this.name = 'KmsUnavailableError';
  }
}

/** The KMS is there and does not let this key be used: disabled, deleted, or no longer permitted (F-07). */
export class KmsKeyDisabledError extends Error {
  constructor(problem: string, options?: ErrorOptions) {
    super(`the KMS does not let the key be used: ${problem}`, options);
    this.name = 'KmsKeyDisabledError';
  }
}
