/**
 * What an adapter is: the two calls of its KMS, one try each, with the errors of `kms.ts`. Time, retries and the
 * check of the answer are `framed-kms.ts`'s, the same for all.
 */
export interface KeyService {
  /** Stable over restarts, and no secret in it. */
  readonly keyId: string;
  /**
   * @param signal ends the try: connections are let go, the answer is waited for no longer.
   * @throws KmsUnavailableError, KmsKeyDisabledError
   */
  encrypt(plaintext: Buffer, aad: string, signal: AbortSignal): Promise<Buffer>;
  /** @throws UnwrapError, KmsUnavailableError, KmsKeyDisabledError */
  decrypt(ciphertext: Buffer, aad: string, signal: AbortSignal): Promise<Buffer>;
  close(): Promise<void>;
}
