/** Work that many callers may wait for, each no longer than it has patience for. */
export interface Asking {
  /** Resolves when the work has ended, or when patience has. Never rejects. */
  readonly answered: Promise<void>;
  /** Patience has ended, and the work has not: whoever comes now is not made to wait. */
  readonly isOverdue: boolean;
  /** Does a caller wait for it? */
  readonly isUrgent: boolean;
  /** A caller waits now. */
  hurry(): void;
  /** The work tells what is to be hurried. */
  onHurry: () => void;
}

/** @param work begins at once, and must not reject. */
export function startAsking(
  patienceMs: number,
  isUrgent: boolean,
  work: (asking: Asking) => Promise<void>,
): Asking {
  const { promise, resolve } = Promise.withResolvers<void>();
  const asking = {
    answered: promise,
    isOverdue: false,
    isUrgent,
    onHurry: (): void => undefined,
    hurry(): void {
      if (asking.isUrgent) return;
      asking.isUrgent = true;
      asking.onHurry();
    },
  };
  const timer = setTimeout(() => {
    asking.isOverdue = true;
    resolve();
  }, patienceMs);
  timer.unref();
  // Not in this turn, so that whoever starts it holds the handle before it ends.
  void Promise.resolve()
    .then(() => work(asking))
    .finally(() => {
      clearTimeout(timer);
      resolve();
    });
  return asking;
}
