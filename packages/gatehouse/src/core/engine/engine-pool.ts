import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from 'node:http2';
import { connect as connectTls, type SecureContextOptions } from 'node:tls';
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
const HEADER_LIST_BYTES_MAX = 65_535;
const STREAM_WINDOW = 1024 * 1024;
const CONNECTION_WINDOW = 16 * 1024 * 1024;

interface Slot {
  session: ClientHttp2Session | undefined;
  /** Callers waiting for the first connection. */
  waiting: ((session: ClientHttp2Session | undefined) => void)[];
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
      session: undefined,
      waiting: [],
      retry: undefined,
      backoff: createBackoff(50, 2000),
    }));
    for (const slot of this.#slots) this.#open(slot);
  }

  /** A session that can take a request now, or undefined. */
  ready(): ClientHttp2Session | undefined {
    for (let tried = 0; tried < this.#slots.length; tried += 1) {
      this.#next = (this.#next + 1) % this.#slots.length;
      const session = this.#slots[this.#next]?.session;
      if (session !== undefined && !session.closed && !session.destroyed) return session;
    }
    return undefined;
  }

  /** Waits for a connection that is being made. @throws Refusal `engine_unavailable` if there is none. */
  async acquire(): Promise<ClientHttp2Session> {
    const now = this.ready();
    if (now !== undefined) return now;
    const slot = this.#slots.find((candidate) => candidate.retry === undefined);
    if (slot === undefined || this.#closed) throw refuse('engine_unavailable', { detail: 'not connected' });
    const session = await new Promise<ClientHttp2Session | undefined>((resolve) =>
      slot.waiting.push(resolve),
    );
    if (session === undefined) throw refuse('engine_unavailable', { detail: 'not connected' });
    return session;
  }

  /** Opens a request stream. @throws whatever http2 throws when the session has just closed. */
  request(session: ClientHttp2Session, headers: readonly string[]): ClientHttp2Stream {
    // Node 24 takes a flat list of names and values, which costs less than an object per call.
    return session.request(headers as unknown as string[]);
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const slot of this.#slots) {
      clearTimeout(slot.retry);
      for (const waiter of slot.waiting.splice(0)) waiter(undefined);
      slot.session?.destroy();
      slot.session = undefined;
    }
  }

  #open(slot: Slot): void {
    if (this.#closed) return;
    slot.retry = undefined;
    const { host, port, serverName, tls } = this.#options.target();
    const session = connect(`https://${serverName}:${port}`, {
      createConnection: () =>
        connectTls({
          host,
          port,
          servername: serverName,
          ...tls,
          minVersion: 'TLSv1.3',
          rejectUnauthorized: true,
          checkServerIdentity,
          ALPNProtocols: ['h2'],
        }),
      settings: {
        enablePush: false,
        initialWindowSize: STREAM_WINDOW,
        // The runtime ends a connection whose trailers are longer, with the calls of other tenants on it. Told
        // of the limit, the engine fails the one call instead (T-095).
        maxHeaderListSize: HEADER_LIST_BYTES_MAX,
      },
      peerMaxConcurrentStreams: 100_000,
      // In MiB: bounds what one connection may hold; replies of 128 MiB must still pass.
      maxSessionMemory: 512,
    });
    const timeout = setTimeout(() => session.destroy(), CONNECT_TIMEOUT_MS);
    timeout.unref();
    let connected = false;
    session.once('connect', () => {
      if (this.#closed) {
        session.destroy();
        return;
      }
      connected = true;
      clearTimeout(timeout);
      session.setLocalWindowSize(CONNECTION_WINDOW);
      keepAlive(session);
      slot.backoff.reset();
      slot.session = session;
      for (const waiter of slot.waiting.splice(0)) waiter(session);
      const age = setTimeout(() => this.#replace(slot, session), this.#options.ageMaxMs ?? AGE_MAX_MS);
      age.unref();
      session.once('close', () => clearTimeout(age));
    });
    session.on('goaway', () => this.#replace(slot, session));
    session.on('error', (error: Error) => this.#options.log.debug('engine connection failed', { error }));
    session.once('close', () => {
      clearTimeout(timeout);
      if (slot.session === session) slot.session = undefined;
      if (!connected || slot.session === undefined) this.#retry(slot, connected);
    });
  }

  #retry(slot: Slot, wasConnected: boolean): void {
    if (this.#closed || slot.retry !== undefined || slot.session !== undefined) return;
    for (const waiter of slot.waiting.splice(0)) waiter(undefined);
    slot.retry = setTimeout(() => this.#open(slot), wasConnected ? 0 : slot.backoff.next());
    slot.retry.unref();
  }

  #replace(slot: Slot, old: ClientHttp2Session): void {
    if (slot.session !== old) return;
    slot.session = undefined;
    this.#open(slot);
    old.close();
    const end = setTimeout(() => old.destroy(undefined, constants.NGHTTP2_NO_ERROR), DRAIN_MS);
    end.unref();
    old.once('close', () => clearTimeout(end));
  }
}
