import type { ServerStream } from '#base/http2/server-stream';
import { asRefusal } from '#base/model/refusals';
import { toFrame } from '#base/wire/grpc-message';
import { encodeGrpcMessage } from '#base/wire/percent-encoding';
import { REQUEST_ID_TRAILER } from './grpc-answer.ts';
import type { Call } from './pipeline.ts';

/** The answer of one of the gateway's own streaming services: any number of messages, then a status. */
export class StreamReply {
  readonly #stream: ServerStream;
  readonly #call: Call;
  readonly #requestId: string;

  constructor(stream: ServerStream, call: Call, requestId: string) {
    this.#stream = stream;
    this.#call = call;
    this.#requestId = requestId;
  }

  get isOver(): boolean {
    return this.#call.isOver || this.#stream.isClosed;
  }

  /** Writes a message. Resolves when the caller has room for the next one, or has gone. */
  async send(message: Uint8Array): Promise<void> {
    if (this.isOver) return;
    this.#open();
    if (this.#stream.write(toFrame(message))) return;
    await new Promise<void>((resolve) => this.#stream.whenRoomier(resolve));
  }

  /** Ends the stream and the record of the call with this status. */
  finish(status: number, message: string): void {
    if (this.isOver) return;
    this.#open();
    const ends = ['grpc-status', String(status), REQUEST_ID_TRAILER, this.#requestId];
    if (message !== '') ends.push('grpc-message', encodeGrpcMessage(message));
    this.#stream.end(ends);
    this.#call.closeStream(status);
  }

  /** Ends with a no. What is not a refusal is a bug, and the caller is told of no more than that. */
  fail(error: unknown): void {
    if (this.isOver) return;
    // Before any byte of ours the call's own path answers, and records the reason too.
    if (!this.#stream.isAnswered) {
      this.#call.refuse(error);
      return;
    }
    const refusal = asRefusal(error);
    this.finish(refusal.grpcStatus, refusal.message);
  }

  #open(): void {
    this.#stream.respond(HEADERS);
  }
}

const HEADERS = [':status', '200', 'content-type', 'application/grpc'];
