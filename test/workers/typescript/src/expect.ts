import { setTimeout as wait } from 'node:timers/promises';

/** Asks again until the answer is truthy: for what the server shows a moment later. The feature's own timeout
 * ends a wait in vain. */
export async function until<T>(ask: () => Promise<T>): Promise<NonNullable<T>> {
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    await wait(100);
  }
}

/** The error that `promise` must end with. */
export async function failure<E extends Error>(
  promise: Promise<unknown>,
  kind: new (...args: never[]) => E,
): Promise<E> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof kind) return error;
    throw error;
  }
  throw new Error(`ended well, not with ${kind.name}`);
}
