import type { NamespaceLimits } from '#base/model/limits';
import type { RefusalCode } from '#base/model/refusals';
import { type CallClass, COUNTERS } from './call-class.ts';
import { TokenBucket } from './token-bucket.ts';
import { type NamespaceUse, NO_OTHERS, type UseReport } from './use-report.ts';

/** The limits that a call can meet. */
export type LimitCode = Extract<
  RefusalCode,
  'namespace_rate_limit' | 'namespace_poller_limit' | 'namespace_memory_limit' | 'memory_limit'
>;

const MIB = 1024 * 1024;
/** Between however many processes a limit is divided, a largest request fits each part. */
const PART_MIB_MIN = 8;
/** How many single numbers are told of a namespace, before its counters. */
const TOLD = 6;

/**
 * What one namespace has under way, and the limits of it: shared by all its connections, whatever their
 * certificates, addresses and doors (T-095b). Every question is sync, takes constant time and allocates nothing.
 */
export class NamespaceLoad implements NamespaceUse {
  connections = 0;
  polls = 0;
  waits = 0;
  requestBytes = 0;
  replyBytes = 0;
  refused = 0;
  /** By method: what is held of `polls` and `waits`. */
  readonly #held: number[] = new Array<number>(COUNTERS).fill(0);
  readonly #calls: TokenBucket;
  readonly #visibility: TokenBucket;
  readonly #management: TokenBucket;
  #connectionsMax = 0;
  #pollsMax = 0;
  #waitsMax = 0;
  #requestBytesMax = 0;
  #replyBytesMax = 0;
  /** What other processes of this platform hold of the same limits, as they told last. */
  #others = NO_OTHERS;
  /** What was told of it last: connections, polls, waits, bytes of both, refused, then what is held. */
  readonly #told: number[] = new Array<number>(TOLD + COUNTERS).fill(0);

  constructor(limits: NamespaceLimits, sharedBy: number, nowMs: number) {
    const bucket = (): TokenBucket => new TokenBucket(1, Number.MAX_SAFE_INTEGER, nowMs);
    this.#calls = bucket();
    this.#visibility = bucket();
    this.#management = bucket();
    this.follow(limits, sharedBy);
  }

  /** Takes other limits into force. What is under way goes on, and counts. */
  follow(limits: NamespaceLimits, sharedBy: number): void {
    const part = (limit: number): number => Math.max(1, Math.ceil(limit / sharedBy));
    const partBytes = (mebibytes: number): number => Math.max(PART_MIB_MIN, mebibytes / sharedBy) * MIB;
    const setRate = (bucket: TokenBucket, perSecond: number): void => {
      const rate = perSecond / sharedBy;
      bucket.setRate(rate, Math.max(1, rate * limits.burstSeconds));
    };
    this.#connectionsMax = part(limits.connections);
    this.#pollsMax = part(limits.polls);
    this.#waitsMax = part(limits.waits);
    this.#requestBytesMax = partBytes(limits.requestMebibytes);
    this.#replyBytesMax = partBytes(limits.replyMebibytes);
    setRate(this.#calls, limits.callsPerSecond);
    setRate(this.#visibility, limits.visibilityPerSecond);
    setRate(this.#management, limits.managementPerSecond);
  }

  /** Counts a connection. @returns false where there are too many. */
  connect(): boolean {
    if (this.connections + this.#others.connections >= this.#connectionsMax) {
      this.refused += 1;
      return false;
    }
    this.connections += 1;
    return true;
  }

  disconnect(): void {
    this.connections -= 1;
  }

  /** Counts a call, or says which limit it meets. Give back what it holds with {@link release}. */
  admit(callClass: CallClass, nowMs: number): LimitCode | undefined {
    const { holds } = callClass;
    const over = this.#judge(callClass, nowMs);
    if (over !== undefined) this.refused += 1;
    else if (holds === 'poll' || holds === 'wait') this.#hold(callClass);
    return over;
  }

  /** Spends tokens only where every limit agrees, so that what is refused costs its namespace nothing. */
  #judge(callClass: CallClass, nowMs: number): LimitCode | undefined {
    const { rate, reserve, holds } = callClass;
    if ((holds === 'poll' || holds === 'wait') && this.#isFull(callClass)) return 'namespace_poller_limit';
    // The other half is for the replies of calls that are under way: a task that is dropped waits for its timeout.
    if ((this.replyBytes + this.#others.replyBytes) * 2 > this.#replyBytesMax)
      return 'namespace_memory_limit';
    const special =
      rate === 'calls' ? undefined : rate === 'visibility' ? this.#visibility : this.#management;
    if (special?.has(nowMs) === false) return 'namespace_rate_limit';
    if (!this.#calls.take(nowMs, Math.floor(this.#calls.burst * reserve))) return 'namespace_rate_limit';
    special?.spend();
    return undefined;
  }

  /** For a call that turns out to wait once its request is read. */
  admitWait(callClass: CallClass): LimitCode | undefined {
    if (this.#isFull(callClass)) {
      this.refused += 1;
      return 'namespace_poller_limit';
    }
    this.#hold(callClass);
    return undefined;
  }

  release({ holds, counter }: CallClass): void {
    this.#held[counter] = (this.#held[counter] ?? 0) - 1;
    if (holds === 'poll') this.polls -= 1;
    else this.waits -= 1;
  }

  #isFull({ holds, counter }: CallClass): boolean {
    const held = (this.#held[counter] ?? 0) + (this.#others.held[counter] ?? 0);
    return held >= (holds === 'poll' ? this.#pollsMax : this.#waitsMax);
  }

  #hold({ holds, counter }: CallClass): void {
    this.#held[counter] = (this.#held[counter] ?? 0) + 1;
    if (holds === 'poll') this.polls += 1;
    else this.waits += 1;
  }

  /** Counts bytes of requests that are held already. @returns false where they are too many. */
  holdRequest(bytes: number): boolean {
    this.requestBytes += bytes;
    if (this.requestBytes + this.#others.requestBytes <= this.#requestBytesMax) return true;
    this.refused += 1;
    return false;
  }

  releaseRequest(bytes: number): void {
    this.requestBytes -= bytes;
  }

  /** Counts a reply until it is written. One always fits: what is larger than the limit could never be read. */
  holdReply(bytes: number): LimitCode | undefined {
    const next = this.replyBytes + bytes;
    if (next + this.#others.replyBytes > this.#replyBytesMax && this.replyBytes > 0) {
      this.refused += 1;
      return 'namespace_memory_limit';
    }
    this.replyBytes = next;
    return undefined;
  }

  releaseReply(bytes: number): void {
    this.replyBytes -= bytes;
  }

  /** What the other processes are to know; undefined where nothing changed since this was last asked. */
  report(namespaceId: string, nowMs: number): UseReport | undefined {
    const spent = [
      this.#calls.takeSpent(),
      this.#visibility.takeSpent(),
      this.#management.takeSpent(),
    ] as const;
    const changed = this.#noteTold();
    if (!changed && spent[0] === 0) return undefined;
    const { connections, polls, waits, requestBytes, replyBytes, refused } = this;
    return {
      namespaceId,
      connections,
      polls,
      waits,
      requestBytes,
      replyBytes,
      refused,
      held: [...this.#held],
      spent,
      left: [this.#calls.left(nowMs), this.#visibility.left(nowMs), this.#management.left(nowMs)],
      ageMs: 0,
    };
  }

  /** Takes what the other processes told into account. */
  followOthers(others: UseReport, nowMs: number): void {
    this.#others = others;
    this.#calls.charge(others.spent[0], nowMs);
    this.#visibility.charge(others.spent[1], nowMs);
    this.#management.charge(others.spent[2], nowMs);
  }

  /** The same for a namespace that others served before. @param asOfMs when they were where they say. */
  beginWith(others: UseReport, asOfMs: number): void {
    this.#others = others;
    this.#calls.startAt(others.left[0], asOfMs);
    this.#visibility.startAt(others.left[1], asOfMs);
    this.#management.startAt(others.left[2], asOfMs);
  }

  /** @returns whether anything differs from what was told last. */
  #noteTold(): boolean {
    let changed = false;
    const note = (index: number, value: number): void => {
      if (this.#told[index] === value) return;
      this.#told[index] = value;
      changed = true;
    };
    note(0, this.connections);
    note(1, this.polls);
    note(2, this.waits);
    note(3, this.requestBytes);
    note(4, this.replyBytes);
    note(5, this.refused);
    for (let counter = 0; counter < COUNTERS; counter += 1) note(TOLD + counter, this.#held[counter] ?? 0);
    return changed;
  }
}
