/** Shows steps as they run: quick ones as one line when done, slow ones as soon as they are slow. */
export interface Progress {
  step<T>(title: string, work: (progress: (text: string) => void) => Promise<T>): Promise<T>;
}

/** A step is announced when it takes longer than this. */
const SLOW_MS = 1000;

/** @param write where lines go; undefined for silence (`--json`). */
export function createProgress(write: ((text: string) => void) | undefined): Progress {
  return {
    async step(title, work) {
      if (write === undefined) return await work(() => undefined);
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
        throw error;
      } finally {
        clearTimeout(slow);
      }
    },
  };
}
