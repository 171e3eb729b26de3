import { setTimeout as wait } from 'node:timers/promises';
import { KmsUnavailableError } from '../kms.ts';

/** Between the two tries: more than a lost packet takes, and not the same for all replicas. */
const PAUSE_MS = 100;

/**
 * Makes a call that wraps or unwraps, each try within `timeoutMs`, a second one where the first found the KMS
 * unavailable. Both may be repeated: neither changes anything in the KMS.
 * @throws KmsUnavailableError after twice the time and a short pause, whatever hangs.
 */
export async function boundedCall<T>(
  timeoutMs: number,
  attempt: (signal: AbortSignal) => Promise<T>,
  random: () => number = Math.random,
): Promise<T> {
  try {
    return await oneTry(timeoutMs, attempt);
  } catch (error) {
    if (!(error instanceof KmsUnavailableError)) throw error;
  }
  await wait(PAUSE_MS * (1 + random()));
  return await oneTry(timeoutMs, attempt);
}

async function oneTry<T>(timeoutMs: number, attempt: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const timeout = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    timeout.reject(new KmsUnavailableError(`no answer within ${timeoutMs} ms`));
    controller.abort();
  }, timeoutMs);
  try {
    // The race is for what does not listen to the signal, such as an SDK that looks for its credentials.
    return await Promise.race([attempt(controller.signal), timeout.promise]);
  } finally {
    clearTimeout(timer);
  }
}
