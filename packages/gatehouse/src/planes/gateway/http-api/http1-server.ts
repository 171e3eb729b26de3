import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { TLSSocket } from 'node:tls';
import type { HeldSession } from '../connections.ts';
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
  accept(socket: TLSSocket, onRequest: OnRequest): HeldSession {
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

class Http1Session implements HeldSession {
  readonly #socket: TLSSocket;
  readonly #onRequest: OnRequest;
  #running = 0;
  #closing = false;

  constructor(socket: TLSSocket, onRequest: OnRequest) {
    this.#socket = socket;
    this.#onRequest = onRequest;
    socket.on('error', () => undefined);
  }

  serve(req: IncomingMessage, res: ServerResponse): void {
    this.#running += 1;
    res.on('close', () => {
      this.#running -= 1;
      if (this.#closing && this.#running === 0) this.#socket.destroySoon();
    });
    this.#onRequest(http1Exchange(req, res, () => this.#closing));
  }

  /** Lets running requests finish and takes no new ones. */
  close(): void {
    this.#closing = true;
    if (this.#running === 0) this.#socket.destroySoon();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  on(_event: 'close', listener: () => void): this {
    this.#socket.on('close', listener);
    return this;
  }
}
