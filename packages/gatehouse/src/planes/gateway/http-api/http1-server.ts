import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { TLSSocket } from 'node:tls';
import type { HeldConnection } from '../connections.ts';
import type { HttpExchange } from './http-exchange.ts';
import { http1Exchange } from './http1-exchange.ts';

// threats.md T-026: at most this much of headers is ever held.
const HEADER_BYTES_MAX = 64 * 1024;
/** threats.md T-028: slow senders of headers and bodies are cut off. */
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 60_000;
const CHECK_MS = 2000;
/** The engine's own HTTP port closes what is idle for this long (data-plane.md 5.3); a query takes 70 s at most. */
const IDLE_MS = 120_000;

/** Answers to what is not HTTP, by the parser's error code; everything else is a 400. */
const statusLines: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
};

/** Requests may be sent before earlier ones are answered; this many on one connection are taken on. */
const RUNNING_MAX = 100;

type OnRequest = (exchange: HttpExchange) => void;

/** Speaks HTTP/1.1 on connections whose TLS is done, by the runtime's strict parser. */
export class Http1Server {
  readonly #server: Server;
  readonly #sessions = new WeakMap<object, Http1Session>();

  constructor(limits: { readonly headersTimeoutMs?: number } = {}) {
    this.#server = createServer({
      insecureHTTPParser: false,
      requireHostHeader: true,
      maxHeaderSize: HEADER_BYTES_MAX,
      headersTimeout: limits.headersTimeoutMs ?? HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: IDLE_MS,
      connectionsCheckingInterval: Math.min(CHECK_MS, limits.headersTimeoutMs ?? CHECK_MS),
    });
    this.#server.timeout = IDLE_MS;
    // The runtime drops headers beyond its count without a word; bytes are limited above, the count by us.
    this.#server.maxHeadersCount = 0;
    const serve = (req: IncomingMessage, res: ServerResponse): void => {
      this.#sessions.get(req.socket)?.serve(req, res);
    };
    this.#server.on('request', serve);
    // Whoever asks before sending is told to go on only when the body is wanted.
    this.#server.on('checkContinue', serve);
    this.#server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
      if (!socket.writable) {
        socket.destroy();
      } else {
        const line = statusLines[error.code ?? ''] ?? '400 Bad Request';
        socket.end(`HTTP/1.1 ${line}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`, () =>
          socket.destroy(),
        );
      }
    });
    // This server never listens, it is handed its sockets; its check for slow senders starts with this event.
    this.#server.emit('listening');
  }

  /** Takes over a connection. */
  accept(socket: TLSSocket, onRequest: OnRequest): HeldConnection {
    const session = new Http1Session(socket, onRequest);
    this.#sessions.set(socket, session);
    this.#server.emit('connection', socket);
    return session;
  }

  close(): void {
    // Stops the check; connections are closed by whoever holds them.
    this.#server.close(() => undefined);
  }
}

class Http1Session implements HeldConnection {
  readonly #socket: TLSSocket;
  readonly #onRequest: OnRequest;
  /** Ends of the requests under way. */
  readonly #running = new Set<() => void>();
  #closing = false;

  constructor(socket: TLSSocket, onRequest: OnRequest) {
    this.#socket = socket;
    this.#onRequest = onRequest;
    socket.on('error', () => undefined);
    // An answer that waits behind another is not told that the connection has gone.
    socket.on('close', () => {
      for (const end of [...this.#running]) end();
    });
  }

  serve(req: IncomingMessage, res: ServerResponse): void {
    const listeners: (() => void)[] = [];
    const overload = this.#running.size >= RUNNING_MAX;
    const end = (): void => {
      if (!this.#running.delete(end)) return;
      for (const listener of listeners) listener();
      if (this.#closing && this.#running.size === 0) this.#socket.destroySoon();
    };
    this.#running.add(end);
    // Not the request's event: that one also comes when its body has been read.
    res.on('close', end);
    if (overload) this.#closing = true;
    this.#onRequest(
      http1Exchange(req, res, {
        closing: () => this.#closing,
        overload,
        onClose: (listener) => listeners.push(listener),
      }),
    );
  }

  /** Lets running requests finish and takes no new ones. */
  close(): void {
    this.#closing = true;
    if (this.#running.size === 0) this.#socket.destroySoon();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  onClose(listener: () => void): void {
    this.#socket.on('close', listener);
  }
}
