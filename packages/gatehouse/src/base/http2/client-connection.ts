import type { TLSSocket } from 'node:tls';
import type { Frame } from '#base/model/frame';
import { Http2Code } from './error-codes.ts';
import type { HeaderFields } from './header-fields.ts';
import { Http2Connection } from './http2-connection.ts';
import { Http2Stream, type StreamReader } from './http2-stream.ts';
import type { NativeLimits } from './nghttp2.ts';

/** A request that we sent. */
export class ClientStream extends Http2Stream {
  /** The request, whole. */
  send(frame: Frame): void {
    this.writeBody(frame);
    this.endBody();
  }
}

export interface ClientHandlers {
  /** The server will close the connection: what has begun goes on. */
  readonly onGoaway: () => void;
  readonly onError: (error: unknown) => void;
}

/** The client's side of an HTTP/2 connection. */
export class ClientConnection extends Http2Connection<ClientStream> {
  readonly #handlers: ClientHandlers;

  /** @param socket whose handshake is done. */
  constructor(socket: TLSSocket, limits: NativeLimits, handlers: ClientHandlers) {
    super(socket, 'client', limits);
    this.#handlers = handlers;
  }

  /**
   * Sends a whole request. Beyond the server's limit of streams it waits here.
   * @returns undefined where the connection takes no more. @throws RangeError for too many or too long headers.
   */
  request(fields: HeaderFields, frame: Frame, reader: StreamReader): ClientStream | undefined {
    if (this.isClosing) return undefined;
    const id = this.native.request(fields);
    if (id < 0) {
      // Stream ids have run out.
      this.close();
      return undefined;
    }
    const stream = new ClientStream(this, id);
    this.streams.set(id, stream);
    stream.read(reader);
    stream.send(frame);
    return stream;
  }

  /** The engine needs no last word of ours, and a new connection is not to wait for it. */
  override destroy(code?: number): void {
    super.destroy(code);
    this.socket.destroy();
  }

  override headers(id: number, fields: HeaderFields): void {
    // What comes before the answer (RFC 9110 section 15.2): `:status` is the first field there is.
    if (fields[0] === ':status' && fields[1]?.startsWith('1') === true) return;
    this.streams.get(id)?.tellHeaders(fields);
  }

  override goaway(_code: number): void {
    this.#handlers.onGoaway();
    this.close();
  }

  override failed(error: unknown): void {
    this.#handlers.onError(error);
    this.destroy(Http2Code.INTERNAL_ERROR);
  }

  protected override lost(errno: number): void {
    this.#handlers.onError(new Error(`HTTP/2 with the engine failed: nghttp2 says ${errno}`));
    this.destroy(Http2Code.PROTOCOL_ERROR);
  }

  protected override socketFailed(error: Error): void {
    this.#handlers.onError(error);
  }
}
