import type { NamespaceRecord } from '#base/model/namespace-record';
import type { CallClass } from './call-class.ts';
import type { LimitCode, NamespaceLoad } from './namespace-load.ts';

/** What a connection asks of the limits of its process. */
export interface LimitsInForce {
  /** Grows with each change of the platform's own limits. */
  readonly epoch: number;
  readonly connectionRequestBytesMax: number;
  /** Takes the limits of a changed record into force. */
  refresh(load: NamespaceLoad, record: NamespaceRecord): void;
}

/** What one connection has under way, as a part of what its namespace has. */
export class ConnectionLoad {
  readonly #limits: LimitsInForce;
  readonly #namespace: NamespaceLoad;
  #record: NamespaceRecord;
  #epoch: number;
  #requestBytes = 0;
  #isOpen = true;

  /** Made by `Limits.connect`, which has counted it. */
  constructor(limits: LimitsInForce, namespace: NamespaceLoad, record: NamespaceRecord) {
    this.#limits = limits;
    this.#namespace = namespace;
    this.#record = record;
    this.#epoch = limits.epoch;
  }

  /**
   * Counts a call, or says which limit it meets. Give back what it holds with {@link release}.
   * @param record the namespace as it is now: other limits are in force at once. @param nowMs monotonic.
   */
  admit(record: NamespaceRecord, callClass: CallClass, nowMs: number): LimitCode | undefined {
    if (record !== this.#record || this.#epoch !== this.#limits.epoch) {
      this.#record = record;
      this.#epoch = this.#limits.epoch;
      this.#limits.refresh(this.#namespace, record);
    }
    return this.#namespace.admit(callClass, nowMs);
  }

  /** For a call that turns out to wait once its request is read. */
  admitWait(callClass: CallClass): LimitCode | undefined {
    return this.#namespace.admitWait(callClass);
  }

  release(callClass: CallClass): void {
    this.#namespace.release(callClass);
  }

  /** Counts bytes that came in; give them back in any case. */
  holdRequest(bytes: number): LimitCode | undefined {
    this.#requestBytes += bytes;
    const fits = this.#namespace.holdRequest(bytes);
    if (this.#requestBytes > this.#limits.connectionRequestBytesMax) return 'memory_limit';
    return fits ? undefined : 'namespace_memory_limit';
  }

  releaseRequest(bytes: number): void {
    this.#requestBytes -= bytes;
    this.#namespace.releaseRequest(bytes);
  }

  /** Counts a reply, unless there is no room for it. */
  holdReply(bytes: number): LimitCode | undefined {
    return this.#namespace.holdReply(bytes);
  }

  releaseReply(bytes: number): void {
    this.#namespace.releaseReply(bytes);
  }

  /** The connection has closed. May be called again. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#namespace.disconnect();
  }
}
