/** Time as a parameter: wall time may jump, monotonic time does not. */
export interface Clock {
  /** Unix milliseconds. */
  now(): number;
  /** Milliseconds since some fixed point of this process. */
  monotonicMs(): number;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
};
