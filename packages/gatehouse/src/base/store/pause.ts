/** A wait that can be cut short, also before it begins: an end that comes between two waits is not lost. */
export interface Pause {
  forMs(ms: number): Promise<void>;
  end(): void;
}

export function createPause(): Pause {
  let ended = false;
  let finish: (() => void) | undefined;
  return {
    async forMs(ms) {
      if (!ended) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, ms);
          // Waiting for a change is no reason for a process to go on living.
          timer.unref();
          finish = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
      finish = undefined;
      ended = false;
    },
    end() {
      ended = true;
      finish?.();
    },
  };
}
