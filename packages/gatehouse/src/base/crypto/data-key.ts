import { createSecretKey, hkdfSync, type KeyObject } from 'node:crypto';
import type { Clock } from '#base/runtime/clock';

/**
 * Most messages under one data key: 2^24. Nonces are 96 bits, spread as random ones, so the chance that two
 * of one key are alike is below 2^-49. NIST SP 800-38D section 8.3 allows 2^32 (2^-32).
 */
export const DATA_KEY_MESSAGES_MAX = 2 ** 24;
/**
 * Most plaintext under one data key: 64 GiB, which is 2^32 blocks. The chance to tell the ciphertext from
 * noise is then near 2^-65. RFC 8446 section 5.5 stops a TLS key at 2^24.5 full records (about 360 GiB, 2^-57).
 */
export const DATA_KEY_BYTES_MAX = 2 ** 36;
/** Part of a message under one key of at most this age: RFC 8645 section 4 calls this external re-keying. */
export const DATA_KEY_AGE_MAX_MS = 3_600_000;

const KEY_BYTES = 32;

/**
 * HKDF-SHA256 (RFC 5869) from one key to another that lives in a KeyObject only.
 * @param info at most 1024 bytes (a limit of the runtime).
 */
export function deriveKey(from: KeyObject, salt: Uint8Array, info: Uint8Array): KeyObject {
  const bytes = Buffer.from(hkdfSync('sha256', from, salt, info, KEY_BYTES));
  const key = createSecretKey(bytes);
  bytes.fill(0);
  return key;
}

export interface DataKeyLimits {
  /** Milliseconds after which the data key is replaced. */
  readonly ageMaxMs: number;
  readonly messagesMax: number;
  readonly bytesMax: number;
}

/**
 * Holds one thing at a time and makes the next one when it is too old, or would have served too many messages
 * or bytes. The count stands before the message is sealed: what fails on the way is counted too.
 * @throws RangeError (at once) for limits that are not positive, or above those of this file.
 */
export function createRotation<T>(make: () => T, limits: DataKeyLimits, clock: Clock): (bytes: number) => T {
  checkLimits(limits);
  const { ageMaxMs, messagesMax, bytesMax } = limits;
  let current: T | undefined;
  let messages = 0;
  let bytesUsed = 0;
  let bornMs = 0;
  let bornMonotonicMs = 0;
  // Both clocks: the monotonic one stands still while a machine sleeps, and in a snapshot; the other may jump.
  const isTooOld = (): boolean =>
    clock.monotonicMs() - bornMonotonicMs >= ageMaxMs || Math.abs(clock.now() - bornMs) >= ageMaxMs;
  return (bytes) => {
    if (current === undefined || messages >= messagesMax || bytesUsed + bytes > bytesMax || isTooOld()) {
      current = make();
      messages = 0;
      bytesUsed = 0;
      bornMs = clock.now();
      bornMonotonicMs = clock.monotonicMs();
    }
    messages += 1;
    bytesUsed += bytes;
    return current;
  };
}

function checkLimits(limits: DataKeyLimits): void {
  const within = (value: number, max: number): boolean => value > 0 && value <= max;
  if (!within(limits.ageMaxMs, DATA_KEY_AGE_MAX_MS))
    throw new RangeError('age of data keys: at most one hour');
  if (!within(limits.messagesMax, DATA_KEY_MESSAGES_MAX)) {
    throw new RangeError('messages per data key: at most 2^24');
  }
  if (!within(limits.bytesMax, DATA_KEY_BYTES_MAX)) {
    throw new RangeError('bytes per data key: at most 2^36');
  }
}
