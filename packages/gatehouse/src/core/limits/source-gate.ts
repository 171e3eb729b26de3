import type { SourceLimits } from '#base/model/limits';
import { sourceKeyOf } from './source-key.ts';
import { TokenBucket } from './token-bucket.ts';

/** One address, as far as it is remembered. */
export interface Source {
  /** Handshakes under way. */
  pending: number;
  readonly bucket: TokenBucket;
}

/**
 * How many connections an address may open, judged before anything is spent on them: a handshake is the dearest
 * thing that a stranger can ask for. Remembers a capped number of addresses, those that were active last.
 */
export class SourceGate {
  /** In the order of their last connection, oldest first. */
  readonly #sources = new Map<string, Source>();
  #limits: SourceLimits;
  #sharedBy: number;

  constructor(limits: SourceLimits, sharedBy: number) {
    this.#limits = limits;
    this.#sharedBy = sharedBy;
  }

  get size(): number {
    return this.#sources.size;
  }

  /** Takes other limits into force; handshakes under way go on. */
  follow(limits: SourceLimits, sharedBy: number): void {
    this.#limits = limits;
    this.#sharedBy = sharedBy;
    for (const { bucket } of this.#sources.values()) bucket.setRate(this.#rate, this.#burst);
    this.#forgetOldest(limits.tracked);
  }

  /**
   * A connection has come. @returns what {@link end} takes when its handshake is over; undefined where the
   * address has too many. @param nowMs monotonic.
   */
  begin(address: string, nowMs: number): Source | undefined {
    const key = sourceKeyOf(address);
    let source = this.#sources.get(key);
    if (source === undefined) {
      this.#forgetOldest(this.#limits.tracked - 1);
      source = { pending: 0, bucket: new TokenBucket(this.#rate, this.#burst, nowMs) };
    } else this.#sources.delete(key);
    this.#sources.set(key, source);
    if (source.pending >= Math.max(1, Math.ceil(this.#limits.pendingHandshakes / this.#sharedBy)))
      return undefined;
    if (!source.bucket.take(nowMs)) return undefined;
    source.pending += 1;
    return source;
  }

  /** Its handshake is done, or has failed. Once for each that began. */
  end(source: Source): void {
    source.pending -= 1;
  }

  get #rate(): number {
    return this.#limits.connectionsPerSecond / this.#sharedBy;
  }

  get #burst(): number {
    return Math.max(1, this.#limits.connectionsBurst / this.#sharedBy);
  }

  #forgetOldest(left: number): void {
    for (const key of this.#sources.keys()) {
      if (this.#sources.size <= left) return;
      this.#sources.delete(key);
    }
  }
}
