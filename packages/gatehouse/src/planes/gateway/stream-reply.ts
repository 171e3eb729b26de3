import type { ServerHttp2Stream } from 'node:http2';
import { asRefusal } from '#base/model/refusals';
import { toFrame } from '#base/wire/grpc-message';
import { encodeGrpcMessage } from '#base/wire/percent-encoding';
import { REQUEST_ID_TRAILER } from './grpc-answer.ts';
import type { Call } from './pipeline.ts';

/** The answer of one of the gateway's own streaming services: any number of messages, then a status. */
export class StreamReply {
  readonly #stream: ServerHttp2Stream;
  readonly #call: Call;
  readonly #requestId: string;
  #ends: Record<string, string> = {};

  constructor(stream: ServerHttp2Stream, call: Call, requestId: string) {
    this.#stream = stream;
    this.#call = call;
    this.#requestId = requestId;
  }

  get isOver(): boolean {
    return this.#call.isOver || this.#stream.destroyed || this.#stream.closed;
  }

  /** Writes a message. Resolves when the caller has room for the next one, or has gone. */
  async send(message: Uint8Array): Promise<void> {
    if (this.isOver) return;
    this.#open();
    if (this.#stream.write(toFrame(message))) return;
    await new Promise<void>((resolve) => {
      const settle = (): void => {
        this.#stream.off('drain', settle);
        this.#stream.off('close', settle);
        resolve();
      };
      this.#stream.on('drain', settle);
      this.#stream.on('close', settle);
    });
  }

  /** Ends the stream and the record of the call with this status. */
  finish(status: number, message: string): void {
    if (this.isOver) return;
    this.#open();
    this.#ends = { 'grpc-status': String(status), [REQUEST_ID_TRAILER]: this.#requestId };
    if (message !== '') this.#ends['grpc-message'] = encodeGrpcMessage(message);
    this.#stream.end();
    this.#call.closeStream(status);
  }

  /** Ends with a no. What is not a refusal is a bug, and the caller is told of no more than that. */
  fail(error: unknown): void {
    if (this.isOver) return;
    // Before any byte of ours the call's own path answers, and records the reason too.
    if (!this.#stream.headersSent) {
      this.#call.refuse(error);
      return;
    }
    const refusal = asRefusal(error);
    this.finish(refusal.grpcStatus, refusal.message);
  }

  #open(): void {
    if (this.#stream.headersSent) return;
    this.#stream.once('wantTrailers', () => {
      if (!this.#stream.destroyed) this.#stream.sendTrailers(this.#ends);
    });
    this.#stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  }
}
