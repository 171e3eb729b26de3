import { type DrainableConnection, drainConnection } from '#base/http2/drain-connection';
import type { DirectorySnapshot } from '#base/model/namespace-record';
import type { Clock } from '#base/runtime/clock';
import type { Connection } from './identified-call.ts';
import type { Identifier } from './identify.ts';

/** Temporal Cloud's own figure: clients reconnect and look the address up again (data-plane.md 5.3). */
const AGE_MAX_MS = 300_000;
/** What a drained connection may still take: a long poll lasts at most this long. */
const GRACE_MS = 70_000;
/** A connection that is no longer admitted may finish what it has begun, this long (T-016). */
const REVOKED_GRACE_MS = 2000;
const SWEEP_MS = 1000;

/** A connection of either HTTP version. */
export interface HeldConnection extends DrainableConnection {
  destroy(): void;
  onClose(listener: () => void): void;
}

interface Held {
  readonly connection: Connection;
  readonly session: HeldConnection;
  readonly ageMaxMs: number;
  drainedAtMs: number | undefined;
  graceMs: number;
}

/**
 * The open connections. Closes what is too old, whose certificate has run out, or what a change of the
 * directory no longer admits.
 */
export class Connections {
  readonly #identifier: Identifier;
  readonly #snapshot: () => DirectorySnapshot;
  readonly #clock: Clock;
  readonly #held = new Map<string, Held>();
  readonly #timer: NodeJS.Timeout;
  #stopping = false;

  constructor(identifier: Identifier, snapshot: () => DirectorySnapshot, clock: Clock) {
    this.#identifier = identifier;
    this.#snapshot = snapshot;
    this.#clock = clock;
    this.#timer = setInterval(() => this.sweep(), SWEEP_MS);
    this.#timer.unref();
  }

  get size(): number {
    return this.#held.size;
  }

  add(connection: Connection, session: HeldConnection): void {
    // Jitter, so that clients which came together do not all come back together.
    const ageMaxMs = AGE_MAX_MS * (0.9 + Math.random() * 0.2);
    const held: Held = { connection, session, ageMaxMs, drainedAtMs: undefined, graceMs: GRACE_MS };
    this.#held.set(connection.id, held);
    session.onClose(() => this.#held.delete(connection.id));
    // Its handshake was under way when the door was closed.
    if (this.#stopping) this.#drain(held, this.#clock.monotonicMs(), GRACE_MS);
  }

  /** Looks at every connection, or at those of some namespaces. */
  sweep(namespaceIds?: ReadonlySet<string>): void {
    const snapshot = this.#snapshot();
    const now = this.#clock.monotonicMs();
    for (const held of this.#held.values()) {
      if (namespaceIds !== undefined && !namespaceIds.has(held.connection.namespaceId)) continue;
      if (held.drainedAtMs !== undefined) {
        if (now - held.drainedAtMs > held.graceMs) held.session.destroy();
      } else if (this.#revoked(held, snapshot)) {
        this.#drain(held, now, REVOKED_GRACE_MS);
      } else if (now - held.connection.openedAtMs > held.ageMaxMs) {
        this.#drain(held, now, GRACE_MS);
      }
    }
  }

  /** Tells every client to go elsewhere. What runs goes on. */
  drainAll(): void {
    this.#stopping = true;
    const now = this.#clock.monotonicMs();
    for (const held of this.#held.values()) this.#drain(held, now, GRACE_MS);
  }

  /** Whether a client may still send a call that is served: its final GOAWAY is not out yet. */
  mayGetCalls(): boolean {
    for (const { session } of this.#held.values()) if (session.isClosing === false) return true;
    return false;
  }

  /** Resolves when all have gone, or after `withinMs`. Call `drainAll` first. */
  async whenGone(withinMs: number): Promise<void> {
    const deadline = this.#clock.monotonicMs() + withinMs;
    while (this.#held.size > 0 && this.#clock.monotonicMs() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Cuts off what is left. */
  destroyAll(): void {
    for (const held of this.#held.values()) held.session.destroy();
    clearInterval(this.#timer);
  }

  #revoked(held: Held, snapshot: DirectorySnapshot): boolean {
    const refusal = this.#identifier.admits(held.connection, snapshot);
    // A filter that does not match leaves the connection open and refuses each call, as the Cloud does,
    // unless it was admitted before: then its calls must end.
    return (
      refusal !== undefined && (refusal.code !== 'certificate_filter_mismatch' || held.connection.admitted)
    );
  }

  #drain(held: Held, now: number, graceMs: number): void {
    if (held.drainedAtMs !== undefined) return;
    held.drainedAtMs = now;
    held.graceMs = graceMs;
    drainConnection(held.session);
  }
}
