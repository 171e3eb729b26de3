// No test itself: what one stream is told, and whether it may be told so.

import type { HeaderFields } from './header-fields.ts';
import type { Http2Stream, StreamReader } from './http2-stream.ts';

/** Reads a stream, and knows in which order a reader is told of things. */
export class StreamOrder implements StreamReader {
  onData: (chunk: Buffer) => void = () => undefined;
  onEnd: () => void = () => undefined;
  readonly #stream: Http2Stream | undefined;
  #headers = 0;
  #hasEnded = false;
  #closings = 0;
  /** What went wrong first. */
  #fault: string | undefined;

  constructor(stream?: Http2Stream) {
    this.#stream = stream;
  }

  headers(_fields: HeaderFields): void {
    this.#expect('headers');
    this.#headers += 1;
  }

  data(chunk: Buffer): void {
    this.#expect('data');
    if (chunk.length === 0) this.#fault ??= 'data without bytes';
    this.onData(chunk);
  }

  end(): void {
    this.#expect('end');
    this.#hasEnded = true;
    this.onEnd();
  }

  closed(code: number): void {
    if (!Number.isInteger(code) || code < 0 || code >= 2 ** 32) this.#fault ??= `closed with ${code}`;
    this.#closings += 1;
  }

  /** Once the connection has gone. @throws Error where a promise was broken. */
  check(): void {
    if (this.#fault !== undefined) throw new Error(this.#fault);
    if (this.#closings !== 1) throw new Error(`told ${this.#closings} times that it is closed`);
    if (this.#headers > 2) throw new Error(`told of headers ${this.#headers} times`);
    if (this.#stream === undefined) return;
    if (!this.#stream.isClosed) throw new Error('it does not know that it is closed');
    if (this.#stream.unsentBytes !== 0) throw new Error(`holds ${this.#stream.unsentBytes} bytes`);
  }

  #expect(what: string): void {
    if (this.#closings > 0) this.#fault ??= `${what} after it was closed`;
    if (this.#hasEnded) this.#fault ??= `${what} after its end`;
  }
}
