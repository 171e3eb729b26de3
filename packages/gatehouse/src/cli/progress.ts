import { Interrupted, type Stop } from './until-stopped.ts';

/** Shows steps as they run: quick ones as one line when done, slow ones as soon as they are slow. */
export interface Progress {
  /** @throws Interrupted where the process is to end. */
  step<T>(title: string, work: (progress: (text: string) => void) => Promise<T>): Promise<T>;
}

/** A step is announced when it takes longer than this. */
const SLOW_MS = 1000;

/** @param write where lines go. @param stop asked before each step. */
export function createProgress(write: (text: string) => void, stop: Pick<Stop, 'reason'>): Progress {
  const assertWanted = (): void => {
    const reason = stop.reason();
    if (reason !== undefined) throw new Interrupted(reason);
  };
  return {
    async step(title, work) {
      assertWanted();
      const started = performance.now();
      let announced = false;
      const announce = (text: string): void => {
        announced = true;
        write(`  ${text}\n`);
      };
      const slow = setTimeout(() => announce(`${title} …`), SLOW_MS);
      try {
        const result = await work((text) => announce(text));
        const seconds = ((performance.now() - started) / 1000).toFixed(1);
        write(`✓ ${title} (${seconds} s)\n`);
        return result;
      } catch (error) {
        write(`✗ ${title}${announced ? ' (see above)' : ''}\n`);
        // What failed because its child was ended did not fail by itself.
        assertWanted();
        throw error;
      } finally {
        clearTimeout(slow);
      }
    },
  };
}
