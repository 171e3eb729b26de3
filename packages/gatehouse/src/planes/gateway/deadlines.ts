/** Something with a deadline, told when it has passed. */
export interface Deadlined {
  expire(): void;
  /** Waits for something to happen, not for work to be done: a stop of the gateway need not wait for it. */
  readonly isLongPoll: boolean;
  /** Ends it because the gateway stops. */
  endForStop(): void;
}

const TICK_MS = 250;

/**
 * Deadlines on one coarse timer instead of a timer per call: ten thousand parked polls cost one tick. A
 * deadline fires up to two ticks late, and the engine's own timeout fires before that.
 */
export class Deadlines {
  readonly #buckets = new Map<number, Set<Deadlined>>();
  readonly #timer: NodeJS.Timeout;
  readonly #now: () => number;
  #tick: number;

  /** @param now monotonic milliseconds. */
  constructor(now: () => number) {
    this.#now = now;
    this.#tick = Math.floor(now() / TICK_MS);
    this.#timer = setInterval(() => this.#run(), TICK_MS);
    this.#timer.unref();
  }

  /** @returns the bucket, which `cancel` takes. */
  add(call: Deadlined, afterMs: number): number {
    const bucket = Math.floor((this.#now() + afterMs) / TICK_MS) + 1;
    const calls = this.#buckets.get(bucket);
    if (calls === undefined) this.#buckets.set(bucket, new Set([call]));
    else calls.add(call);
    return bucket;
  }

  /** Whether a bucket that `add` gave has at most this long to go. */
  isDueWithin(bucket: number, ms: number): boolean {
    return this.#now() >= (bucket - 1) * TICK_MS - ms;
  }

  cancel(call: Deadlined, bucket: number): void {
    const calls = this.#buckets.get(bucket);
    if (calls === undefined) return;
    calls.delete(call);
    if (calls.size === 0) this.#buckets.delete(bucket);
  }

  /** How many calls wait for an answer of the engine, long polls apart. Walks them all: for a stop. */
  countRunning(): number {
    let count = 0;
    for (const calls of this.#buckets.values()) for (const call of calls) if (!call.isLongPoll) count += 1;
    return count;
  }

  endAll(): void {
    for (const calls of [...this.#buckets.values()]) for (const call of [...calls]) call.endForStop();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #run(): void {
    const current = Math.floor(this.#now() / TICK_MS);
    // A bucket ends where the next begins, so that of `current` is due too.
    for (; this.#tick <= current; this.#tick += 1) {
      // Kept while it is run: one deadline that passes may cancel another of the same bucket.
      for (const call of this.#buckets.get(this.#tick) ?? []) call.expire();
      this.#buckets.delete(this.#tick);
    }
  }
}
