import { connect, type SecureContextOptions, type TLSSocket } from 'node:tls';
import { ClientConnection } from '#base/http2/client-connection';
import { refuse } from '#base/model/refusals';
import { createBackoff } from '#base/runtime/backoff';
import type { Log } from '#base/runtime/log';
import { checkServerIdentity } from '#base/wire/check-server-identity';
import { keepAlive } from './keep-alive.ts';

/** Where the engine's frontend is, and what we present to it. Read anew for each connection. */
export interface EngineTarget {
  readonly host: string;
  readonly port: number;
  readonly serverName: string;
  readonly tls: Pick<SecureContextOptions, 'ca' | 'cert' | 'key'>;
}

export interface EnginePoolOptions {
  readonly target: () => EngineTarget;
  readonly log: Log;
  /** Connections kept open ahead: a few carry everything (performance.md section 2). */
  readonly size?: number;
  /** The engine hangs up after 5 minutes by design; we replace a connection before that. */
  readonly ageMaxMs?: number;
}

const SIZE = 2;
const AGE_MAX_MS = 240_000;
// A connection that is being replaced still carries its long polls, which last 70 s at most.
const DRAIN_MS = 80_000;
const CONNECT_TIMEOUT_MS = 5000;
const RETRY_FIRST_MS = 50;
/** Calls are refused meanwhile (F-01), and a few attempts a second cost nobody anything. */
const RETRY_MOST_MS = 250;
const limits = {
  streamsMax: 0,
  peerStreamsMax: 100_000,
  // Told of the limit, the engine fails one call whose trailers are longer; the others go on (T-095).
  headerBytesMax: 65_535,
  headerFieldsMax: 128,
  // All that a client may send, and our token.
  sentHeaderBytesMax: 128 * 1024,
  streamWindow: 1024 * 1024,
  connectionWindow: 16 * 1024 * 1024,
};

interface Slot {
  connection: ClientConnection | undefined;
  /** Callers waiting for the first connection. */
  waiting: ((connection: ClientConnection | undefined) => void)[];
  retry: NodeJS.Timeout | undefined;
  readonly backoff: ReturnType<typeof createBackoff>;
}

/** A few multiplexed connections to the engine, opened ahead, replaced before they age, TLS 1.3 only. */
export class EnginePool {
  readonly #options: EnginePoolOptions;
  readonly #slots: Slot[];
  #next = 0;
  #closed = false;

  constructor(options: EnginePoolOptions) {
    this.#options = options;
    this.#slots = Array.from({ length: options.size ?? SIZE }, () => ({
      connection: undefined,
      waiting: [],
      retry: undefined,
      backoff: createBackoff(RETRY_FIRST_MS, RETRY_MOST_MS),
    }));
    for (const slot of this.#slots) this.#open(slot);
  }

  /** A connection that can take a request now, or undefined. */
  ready(): ClientConnection | undefined {
    for (let tried = 0; tried < this.#slots.length; tried += 1) {
      this.#next = (this.#next + 1) % this.#slots.length;
      const connection = this.#slots[this.#next]?.connection;
      if (connection !== undefined && !connection.isClosing) return connection;
    }
    return undefined;
  }

  /** Waits for a connection that is being made. @throws Refusal `engine_unavailable` if there is none. */
  async acquire(): Promise<ClientConnection> {
    const now = this.ready();
    if (now !== undefined) return now;
    const slot = this.#slots.find((candidate) => candidate.retry === undefined);
    if (slot === undefined || this.#closed) throw refuse('engine_unavailable', { detail: 'not connected' });
    const connection = await new Promise<ClientConnection | undefined>((resolve) =>
      slot.waiting.push(resolve),
    );
    if (connection === undefined) throw refuse('engine_unavailable', { detail: 'not connected' });
    return connection;
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const slot of this.#slots) {
      clearTimeout(slot.retry);
      for (const waiter of slot.waiting.splice(0)) waiter(undefined);
      slot.connection?.destroy();
      slot.connection = undefined;
    }
  }

  #open(slot: Slot): void {
    if (this.#closed) return;
    slot.retry = undefined;
    const { host, port, serverName, tls } = this.#options.target();
    const socket = connect({
      host,
      port,
      servername: serverName,
      ...tls,
      minVersion: 'TLSv1.3',
      rejectUnauthorized: true,
      checkServerIdentity,
      ALPNProtocols: ['h2'],
    });
    const timeout = setTimeout(() => socket.destroy(), CONNECT_TIMEOUT_MS).unref();
    const failed = (error: unknown): void => this.#options.log.debug('engine connection failed', { error });
    socket.on('error', failed);
    let isConnected = false;
    socket.once('secureConnect', () => {
      clearTimeout(timeout);
      try {
        this.#connected(slot, socket);
        isConnected = true;
        socket.off('error', failed);
      } catch (error) {
        // No memory is left for it now.
        failed(error);
        socket.destroy();
      }
    });
    socket.once('close', () => {
      clearTimeout(timeout);
      if (!isConnected) this.#retry(slot, false);
    });
  }

  #connected(slot: Slot, socket: TLSSocket): void {
    if (this.#closed) {
      socket.destroy();
      return;
    }
    const connection = new ClientConnection(socket, limits, {
      onGoaway: () => this.#replace(slot, connection),
      onError: (error) => this.#options.log.debug('engine connection failed', { error }),
    });
    keepAlive(connection);
    slot.backoff.reset();
    slot.connection = connection;
    for (const waiter of slot.waiting.splice(0)) waiter(connection);
    const age = setTimeout(
      () => this.#replace(slot, connection),
      this.#options.ageMaxMs ?? AGE_MAX_MS,
    ).unref();
    connection.onClose(() => {
      clearTimeout(age);
      if (slot.connection === connection) slot.connection = undefined;
      if (slot.connection === undefined) this.#retry(slot, true);
    });
  }

  #retry(slot: Slot, wasConnected: boolean): void {
    if (this.#closed || slot.retry !== undefined || slot.connection !== undefined) return;
    for (const waiter of slot.waiting.splice(0)) waiter(undefined);
    slot.retry = setTimeout(() => this.#open(slot), wasConnected ? 0 : slot.backoff.next());
    slot.retry.unref();
  }

  #replace(slot: Slot, old: ClientConnection): void {
    if (slot.connection !== old) return;
    slot.connection = undefined;
    this.#open(slot);
    old.close();
    const end = setTimeout(() => old.destroy(), DRAIN_MS).unref();
    old.onClose(() => clearTimeout(end));
  }
}
