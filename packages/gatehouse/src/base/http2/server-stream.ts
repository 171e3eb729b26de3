import type { Frame } from '#base/model/frame';
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

  /** 100 Continue and the like. */
  inform(fields: HeaderFields): void {
    if (!this.isClosed && !this.#isAnswered) this.#host.inform(this.id, fields);
  }

  /** The answer's headers; its body follows. */
  respond(fields: HeaderFields | HeaderBlock): void {
    if (this.isClosed || this.#isAnswered) return;
    this.#isAnswered = true;
    this.#host.respond(this.id, fields, true);
  }

  /** An answer without a body. */
  respondOnly(fields: HeaderFields | HeaderBlock): void {
    if (this.isClosed || this.#isAnswered) return;
    this.#isAnswered = true;
    this.endBody();
    this.#host.respond(this.id, fields, false);
  }

  /** @returns whether there is room for more; otherwise `whenRoomier` tells when. */
  write(frame: Frame): boolean {
    return this.writeBody(frame);
  }

  end(trailers: HeaderFields = []): void {
    this.#trailers = trailers;
    this.endBody();
  }

  protected override bodyEnds(): void {
    this.#host.trailers(this.id, this.#trailers);
  }
}
