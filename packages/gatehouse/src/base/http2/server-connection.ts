import type { TLSSocket } from 'node:tls';
import { Http2Code } from './error-codes.ts';
import type { HeaderFields } from './header-fields.ts';
import { Http2Connection } from './http2-connection.ts';
import type { HeaderBlock } from './native-memory.ts';
import type { NativeLimits } from './nghttp2.ts';
import { ServerStream, type ServerStreamHost } from './server-stream.ts';

/** Whoever keeps watch over a connection is told of what its peer costs. */
export interface ServerObserver {
  opened(stream: ServerStream): void;
  /** Bytes of a body came. */
  came(bytes: number): void;
  /** We ended a stream whose client may still be sending. */
  cut(): void;
  /** @param code as told to its reader. */
  closed(stream: ServerStream, code: number): void;
  goawaySent(code: number): void;
  /** See `NativeEvents.useless`. */
  useless(type: number): void;
  /** nghttp2 gave up, by its own error number. */
  lost(errno: number): void;
  socketFailed(error: Error): void;
}

export interface ServerHandlers {
  /** A request's headers came. */
  readonly onStream: (stream: ServerStream) => void;
  /** A fault of ours; the connection is ended. */
  readonly onBug: (error: unknown) => void;
}

/** What one connection may make us hold of answers before it gets no more of them. */
const HELD_BYTES_MAX = 64 * 1024 * 1024;

/** The server's side of an HTTP/2 connection. */
export class ServerConnection extends Http2Connection<ServerStream> implements ServerStreamHost {
  readonly #handlers: ServerHandlers;
  #observer: ServerObserver | undefined;

  constructor(socket: TLSSocket, limits: NativeLimits, handlers: ServerHandlers) {
    super(socket, 'server', limits);
    this.#handlers = handlers;
  }

  /** Before anything comes. */
  observe(observer: ServerObserver): void {
    this.#observer = observer;
  }

  get openStreamCount(): number {
    return this.streams.size;
  }

  inform(stream: number, fields: HeaderFields): void {
    if (this.isOver) return;
    this.native.inform(stream, fields);
    this.sendSoon();
  }

  respond(stream: number, fields: HeaderFields | HeaderBlock, hasBody: boolean): void {
    if (this.isOver) return;
    this.native.respond(stream, fields, hasBody);
    this.sendSoon();
  }

  /** Called while the last of a body goes out: trailers that cannot be written end their call alone. */
  trailers(stream: number, fields: HeaderFields): void {
    try {
      this.native.trailers(stream, fields);
    } catch (error) {
      this.#handlers.onBug(error);
      this.reset(stream, Http2Code.INTERNAL_ERROR);
    }
  }

  override reset(stream: number, code: number): void {
    if (this.streams.has(stream)) this.#observer?.cut();
    super.reset(stream, code);
  }

  override headers(id: number, fields: HeaderFields): void {
    // Trailers of a request are read by nobody.
    if (this.isDestroyed || this.streams.has(id)) return;
    const stream = new ServerStream(this, id, fields);
    this.streams.set(id, stream);
    this.#observer?.opened(stream);
    if (this.unsentBytes > HELD_BYTES_MAX) stream.reset(Http2Code.ENHANCE_YOUR_CALM);
    else this.#handlers.onStream(stream);
  }

  override data(id: number, chunk: Buffer): number {
    this.#observer?.came(chunk.length);
    return super.data(id, chunk);
  }

  override closed(id: number, code: number): void {
    const stream = this.streams.get(id);
    super.closed(id, code);
    if (stream !== undefined) this.#observer?.closed(stream, code);
  }

  /** A client that goes has its open calls answered; one that goes in anger has none. */
  override goaway(code: number): void {
    if (code === Http2Code.NO_ERROR) this.close();
    else this.destroy();
  }

  override goawaySent(code: number): void {
    this.#observer?.goawaySent(code);
  }

  override useless(type: number): void {
    this.#observer?.useless(type);
  }

  override failed(error: unknown): void {
    this.#handlers.onBug(error);
    this.destroy(Http2Code.INTERNAL_ERROR);
  }

  protected override lost(errno: number): void {
    this.#observer?.lost(errno);
    this.destroy(Http2Code.INTERNAL_ERROR);
  }

  protected override socketFailed(error: Error): void {
    this.#observer?.socketFailed(error);
  }
}
