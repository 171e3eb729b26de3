/**
 * A rate with a burst, in two numbers. Time is the caller's: monotonic milliseconds, read once per call. Sync,
 * constant time, allocates nothing.
 */
export class TokenBucket {
  #perMs = 0;
  #burst = 0;
  #tokens = 0;
  #spent = 0;
  #filledAtMs: number;

  /** Begins full. */
  constructor(perSecond: number, burst: number, nowMs: number) {
    this.#filledAtMs = nowMs;
    this.setRate(perSecond, burst);
    this.#tokens = burst;
  }

  /** Another rate from now on. What was saved stays, as far as the new burst holds it. */
  setRate(perSecond: number, burst: number): void {
    this.#perMs = perSecond / 1000;
    this.#burst = burst;
    this.#tokens = Math.min(this.#tokens, burst);
  }

  get burst(): number {
    return this.#burst;
  }

  /** What is left now; below 0 where others spent what was not there. */
  left(nowMs: number): number {
    this.has(nowMs);
    return this.#tokens;
  }

  /** How many were spent here since this was last asked. */
  takeSpent(): number {
    const spent = this.#spent;
    this.#spent = 0;
    return spent;
  }

  /** Others have spent from the same limit. What was not there is owed, and comes first of what comes in. */
  charge(tokens: number, nowMs: number): void {
    // What the time until now has brought must not pay for it twice.
    this.has(nowMs);
    this.#tokens -= tokens;
  }

  /** Begins where another bucket of the same limit was at some time. @param nowMs of that time. */
  startAt(left: number, nowMs: number): void {
    this.#tokens = Math.min(this.#burst, left);
    this.#filledAtMs = nowMs;
  }

  /** @param reserve how many tokens must stay behind: for calls that matter more. */
  has(nowMs: number, reserve = 0): boolean {
    const elapsedMs = nowMs - this.#filledAtMs;
    if (elapsedMs > 0) {
      this.#tokens = Math.min(this.#burst, this.#tokens + elapsedMs * this.#perMs);
      this.#filledAtMs = nowMs;
    }
    return this.#tokens >= 1 + reserve;
  }

  /** Only after {@link has} said yes, in the same turn. */
  spend(): void {
    this.#tokens -= 1;
    this.#spent += 1;
  }

  take(nowMs: number, reserve = 0): boolean {
    if (!this.has(nowMs, reserve)) return false;
    this.spend();
    return true;
  }
}
