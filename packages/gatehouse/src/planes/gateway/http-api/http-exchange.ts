import type { IncomingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';

/** One HTTP request and its answer, whichever version of HTTP carries it. */
export interface HttpExchange {
  readonly method: string;
  readonly target: string;
  readonly authority: string;
  readonly headers: IncomingHttpHeaders;
  /** Name and value in turn, as sent. */
  readonly rawHeaders: readonly string[];
  readonly body: Readable;
  /** The connection has too many requests under way: this one is to be refused. */
  readonly overload: boolean;
  /** Call before reading the body: a client may wait to be told that it should send it. */
  expectBody(): void;
  /** Answers, once. A body that is still coming is read away, within bounds, so that the answer is seen. */
  answer(status: number, headers: Readonly<Record<string, string>>, text: string): void;
  onClose(listener: () => void): void;
}
