import type { Kms } from '#base/crypto/kms';
import type { Clock } from '#base/runtime/clock';
import type { Log } from '#base/runtime/log';
import type { DirectoryImage } from './directory-image.ts';
import { isRotationDue, makeTokenKey, storeTokenKey, type TokenKeyTimes } from './token-keys.ts';
import type { WriteScope } from './write-transaction.ts';

/** After a rotation that failed: the database may be read-only for now. */
const RETRY_MS = 10_000;

/** Makes the next token-binding key when it is time, whoever notices first. */
export interface TokenRotation {
  /** Called with every confirmed image. True where a key may have been made. */
  attend(image: DirectoryImage): Promise<boolean>;
}

export interface TokenRotationOptions {
  readonly kms: Kms;
  readonly clock: Clock;
  readonly log: Log;
  readonly times: TokenKeyTimes;
  readonly write: (work: (scope: WriteScope) => Promise<void>) => Promise<void>;
}

export function createTokenRotation({ kms, clock, log, times, write }: TokenRotationOptions): TokenRotation {
  let retryAt = -Infinity;
  return {
    async attend(image) {
      const nowMs = clock.now();
      if (clock.monotonicMs() < retryAt || !isRotationDue(image.tokenKeys, times, nowMs)) return false;
      try {
        const row = await makeTokenKey(kms, image, nowMs);
        await write(({ transaction }) => storeTokenKey(transaction, row, times));
        log.info('a token-binding key was made', { keyId: row.id });
        return true;
      } catch (error) {
        retryAt = clock.monotonicMs() + RETRY_MS;
        log.warn('the token-binding keys could not be rotated', { error });
        return false;
      }
    },
  };
}
