import { createSecretKey, hkdfSync, type KeyObject } from 'node:crypto';
import type { Clock } from '#base/runtime/clock';

/** Past any of these the next data key begins: external re-keying, as RFC 8645 calls it. */
export interface DataKeyLimits {
  /** Milliseconds after which the data key is replaced. */
  readonly ageMaxMs: number;
  readonly messagesMax: number;
  readonly bytesMax: number;
}

/**
 * What is in force unless less, or more up to {@link DATA_KEY_CEILINGS}, is asked for.
 * - 2^24 messages: nonces are 96 bits, spread as random ones, so two of one key are alike with a chance below
 *   2^-49.
 * - 64 GiB, which is 2^32 blocks: the ciphertext is told from noise with a chance near 2^-65. RFC 8446 section
 *   5.5 stops a TLS key at 2^24.5 full records, about 360 GiB, for 2^-57.
 * - One hour: whoever steals a data key has the messages of one process and hour.
 */
export const DATA_KEY_LIMITS: DataKeyLimits = Object.freeze({
  ageMaxMs: 3_600_000,
  messagesMax: 2 ** 24,
  bytesMax: 2 ** 36,
});

/**
 * What no setting can lift. 2^32 messages is the most that NIST SP 800-38D section 8.3 allows under one key
 * with random nonces (two alike with a chance of 2^-33).
 */
export const DATA_KEY_CEILINGS: DataKeyLimits = Object.freeze({
  ageMaxMs: 24 * 3_600_000,
  messagesMax: 2 ** 32,
  bytesMax: 2 ** 36,
});

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

/**
 * Holds one thing at a time and makes the next one when it is too old, or would have served too many messages
 * or bytes. The count stands before the message is sealed: what fails on the way is counted too.
 * @throws RangeError (at once) for limits that are not positive, or above {@link DATA_KEY_CEILINGS}.
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
  for (const name of ['ageMaxMs', 'messagesMax', 'bytesMax'] as const) {
    if (!(limits[name] > 0 && limits[name] <= DATA_KEY_CEILINGS[name])) {
      throw new RangeError(`${name} of data keys: more than 0, at most ${DATA_KEY_CEILINGS[name]}`);
    }
  }
}
