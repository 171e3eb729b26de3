import type { Frame } from '#base/model/frame';
import { Http2Code } from './error-codes.ts';
import { fieldOf, type HeaderFields } from './header-fields.ts';
import { Http2Stream, type StreamHost } from './http2-stream.ts';
import type { HeaderBlock } from './native-memory.ts';

/** What a request needs of its connection. */
export interface ServerStreamHost extends StreamHost {
  /** Headers before the answer's. */
  inform(stream: number, fields: HeaderFields): void;
  respond(stream: number, fields: HeaderFields | HeaderBlock, hasBody: boolean): void;
  trailers(stream: number, fields: HeaderFields): void;
}

/** A request, and the way to answer it. What is written to a stream that has gone is dropped. */
export class ServerStream extends Http2Stream {
  readonly fields: HeaderFields;
  readonly #host: ServerStreamHost;
  #trailers: HeaderFields = [];
  #isAnswered = false;
  #isResetOnceWritten = false;

  constructor(host: ServerStreamHost, id: number, fields: HeaderFields) {
    super(host, id);
    this.#host = host;
    this.fields = fields;
  }

  /** Every value of a header, joined; `undefined` where it was not sent. */
  field(name: string): string | undefined {
    return fieldOf(this.fields, name);
  }

  /** The answer's headers have been written. */
  get isAnswered(): boolean {
    return this.#isAnswered;
  }

  /** 100 Continue and the like. @throws RangeError for too many or too long headers, as the next ones do. */
  inform(fields: HeaderFields): void {
    if (!this.isClosed && !this.#isAnswered) this.#host.inform(this.id, fields);
  }

  /** The answer's headers; its body follows. */
  respond(fields: HeaderFields | HeaderBlock): void {
    if (this.isClosed || this.#isAnswered) return;
    this.#host.respond(this.id, fields, true);
    this.#isAnswered = true;
  }

  /** An answer without a body. */
  respondOnly(fields: HeaderFields | HeaderBlock): void {
    if (this.isClosed || this.#isAnswered) return;
    this.#host.respond(this.id, fields, false);
    this.#isAnswered = true;
    this.endBody();
  }

  /** @returns whether there is room for more; otherwise `whenRoomier` tells when. */
  write(frame: Frame): boolean {
    return this.writeBody(frame);
  }

  end(trailers: HeaderFields = []): void {
    if (this.isEnded) return;
    this.#trailers = trailers;
    this.endBody();
  }

  /** Without an error the answer goes out first. */
  override reset(code: number): void {
    if (code === Http2Code.NO_ERROR && this.isEnded && !this.isWritten) this.#isResetOnceWritten = true;
    else super.reset(code);
  }

  override tellWritten(): void {
    super.tellWritten();
    if (this.#isResetOnceWritten) super.reset(Http2Code.NO_ERROR);
  }

  protected override sendTrailers(): boolean {
    if (this.#trailers.length === 0) return false;
    this.#host.trailers(this.id, this.#trailers);
    return true;
  }
}
