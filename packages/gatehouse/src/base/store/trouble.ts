import type { Clock } from '#base/runtime/clock';
import type { Log } from '#base/runtime/log';

/** An unchanged trouble is repeated in the log this often: loud enough to be seen, rare enough to be read. */
const REPEAT_MS = 60_000;

/** The one trouble there is at a time, told to the operator when it comes, changes, lasts and ends. */
export interface Trouble {
  readonly current: Error | undefined;
  raise(error: unknown): void;
  clear(): void;
}

export function createTrouble(clock: Clock, log: Log): Trouble {
  let current: Error | undefined;
  let repeatAt = 0;
  return {
    get current() {
      return current;
    },
    raise(error) {
      const raised = error instanceof Error ? error : new Error(String(error));
      if (raised.message !== current?.message || clock.monotonicMs() >= repeatAt) {
        log.error('the directory database does not confirm the snapshot', { error: raised });
        repeatAt = clock.monotonicMs() + REPEAT_MS;
      }
      current = raised;
    },
    clear() {
      if (current !== undefined) log.info('the directory database confirms the snapshot again');
      current = undefined;
    },
  };
}
