import type { ClientConnection, ClientStream } from '#base/http2/client-connection';
import { Http2Code } from '#base/http2/error-codes';
import { fieldOf, type HeaderFields } from '#base/http2/header-fields';
import type { StreamReader } from '#base/http2/http2-stream';
import type { Frame } from '#base/model/frame';
import { GrpcStatus } from '#base/model/grpc-status';
import { asRefusal, type Refusal, refuse } from '#base/model/refusals';
import { frameLength, PREFIX_BYTES, REPLY_BYTES_MAX } from '#base/wire/grpc-message';
import { formatGrpcTimeout } from '#base/wire/grpc-timeout';
import { decodeGrpcMessage } from '#base/wire/percent-encoding';
import type { EnginePool } from '#core/engine/engine-pool';
import type { Deadlined, Deadlines } from './deadlines.ts';
import type { PermittedCall } from './identified-call.ts';

/** What the engine answered. */
export interface EngineReply {
  readonly status: number;
  readonly message: string;
  readonly frame: Buffer | undefined;
  readonly details: string | undefined;
  readonly headers: readonly string[];
}

export interface RelayDeps {
  readonly pool: EnginePool;
  readonly deadlines: Deadlines;
  readonly mintToken: (namespaceId: string, role: 'read' | 'write') => string;
  readonly engineAuthority: string;
}

/** A call without a deadline of its own gets this one with us, so that a hung engine cannot keep it for ever. */
const TIMEOUT_DEFAULT_MS = 150_000;
/** The longest wait that the engine or an SDK knows is 70 s; beyond an hour a timeout means nothing. */
const TIMEOUT_MAX_MS = 3_600_000;
/** After the caller's deadline the engine's own DEADLINE_EXCEEDED may still come; ours is the net. */
const GRACE_MS = 250;

/** Calls that the engine answers when something happens, or empty after up to a minute (data-plane.md 5.5). */
const LONG_POLLS: ReadonlySet<string> = new Set([
  'PollWorkflowTaskQueue',
  'PollActivityTaskQueue',
  'PollNexusTaskQueue',
  'PollWorkflowExecutionUpdate',
  'GetWorkflowExecutionHistory',
]);

/** Engine headers that SDKs know (data-plane.md 5.1). */
const PASSED_HEADERS = ['x-resource-exhausted-cause', 'x-resource-exhausted-scope'];

/**
 * One call to the engine: sent whole, gathered whole, answered once. `done` is told exactly once, with a
 * reply or a refusal, also when it is cancelled.
 */
export class Relay implements Deadlined, StreamReader {
  readonly #call: PermittedCall;
  readonly #deps: RelayDeps;
  readonly #path: string;
  readonly #frame: Frame;
  #done: ((outcome: EngineReply | Refusal) => void) | undefined;
  #stream: ClientStream | undefined;
  #retried = false;
  #bucket = -1;
  #head: HeaderFields = [];
  #trailers: HeaderFields = [];
  #chunks: Buffer[] = [];
  #size = 0;

  /** @param path where to send it: the call's own path, but for calls that are answered from another method. */
  constructor(
    call: PermittedCall,
    path: string,
    frame: Frame,
    deps: RelayDeps,
    done: (outcome: EngineReply | Refusal) => void,
  ) {
    this.#call = call;
    this.#deps = deps;
    this.#path = path;
    this.#frame = frame;
    this.#done = done;
  }

  start(): void {
    const timeoutMs = Math.min(this.#call.head.timeoutMs ?? TIMEOUT_DEFAULT_MS, TIMEOUT_MAX_MS);
    this.#bucket = this.#deps.deadlines.add(this, timeoutMs + GRACE_MS);
    const connection = this.#deps.pool.ready();
    if (connection !== undefined) this.#send(connection);
    else this.#waitForConnection();
  }

  /** The caller went away: the engine must know at once, or it hands tasks to a dead poller. */
  cancel(): void {
    this.#finish(refuse('cancelled'));
  }

  expire(): void {
    this.#finish(refuse('deadline_exceeded'));
  }

  get isLongPoll(): boolean {
    return LONG_POLLS.has(this.#call.method.name);
  }

  endForStop(): void {
    this.#finish(refuse('draining'));
  }

  #waitForConnection(): void {
    this.#deps.pool.acquire().then(
      (connection) => this.#send(connection),
      (error: unknown) => this.#finish(asRefusal(error)),
    );
  }

  #send(connection: ClientConnection): void {
    if (this.#done === undefined) return;
    try {
      this.#stream = connection.request(this.#requestFields(), this.#frame, this);
    } catch (error) {
      // A bug of ours, which another connection would not mend.
      return this.#finish(asRefusal(error));
    }
    // The connection closed between being chosen and being used: nothing was sent.
    if (this.#stream === undefined) this.#retryOrFail('the connection closed');
  }

  headers(fields: HeaderFields): void {
    if (this.#head.length === 0) this.#head = fields;
    else this.#trailers = fields;
  }

  #requestFields(): string[] {
    const { head, permit, namespace } = this.#call;
    const role = permit.served === 'read' ? 'read' : 'write';
    const headers = [
      ':method',
      'POST',
      ':scheme',
      'https',
      ':authority',
      this.#deps.engineAuthority,
      ':path',
      this.#path,
      'content-type',
      'application/grpc',
      'te',
      'trailers',
      'authorization',
      this.#deps.mintToken(namespace.id, role),
    ];
    // Without a deadline none is sent: the engine refuses polls without one, and says so itself.
    if (head.timeoutMs !== undefined) {
      headers.push('grpc-timeout', formatGrpcTimeout(Math.min(head.timeoutMs, TIMEOUT_MAX_MS)));
    }
    for (const text of head.metadata) headers.push(text);
    return headers;
  }

  data(chunk: Buffer): void {
    if (this.#done === undefined) return;
    this.#size += chunk.length;
    if (this.#size > REPLY_BYTES_MAX + PREFIX_BYTES) {
      this.#finish(refuse('message_too_large', { detail: 'reply of the engine' }));
      return;
    }
    this.#chunks.push(chunk);
  }

  end(): void {
    const ends = fieldOf(this.#trailers, 'grpc-status') === undefined ? this.#head : this.#trailers;
    const statusText = fieldOf(ends, 'grpc-status');
    // A stream that the engine resets, at a deadline above all, may end like this too: `closed` knows why.
    if (statusText === undefined) return undefined;
    const status = Number(statusText);
    const [only] = this.#chunks;
    const body =
      this.#chunks.length === 1 && only !== undefined ? only : Buffer.concat(this.#chunks, this.#size);
    if (status === GrpcStatus.OK && !isWhole(body)) {
      return this.#finish(refuse('engine_unavailable', { detail: 'the reply was cut short' }));
    }
    return this.#finish({
      status,
      message: decodeGrpcMessage(fieldOf(ends, 'grpc-message') ?? ''),
      frame: status === GrpcStatus.OK ? body : undefined,
      details: fieldOf(ends, 'grpc-status-details-bin'),
      headers: this.#passedHeaders(),
    });
  }

  #passedHeaders(): string[] {
    const passed: string[] = [];
    for (const name of PASSED_HEADERS) {
      const value = fieldOf(this.#head, name);
      if (value !== undefined) passed.push(name, value);
    }
    return passed;
  }

  closed(code: number): void {
    if (this.#done === undefined) return undefined;
    // REFUSED_STREAM: the engine has not looked at it, so another connection may (RFC 9113 section 8.7).
    if (code === Http2Code.REFUSED_STREAM) return this.#retryOrFail('refused');
    // A stream ends with CANCEL at the engine's deadline, but also when the connection breaks.
    const isDue = this.#deps.deadlines.isDueWithin(this.#bucket, GRACE_MS);
    if (code === Http2Code.CANCEL && isDue) {
      return this.#finish(refuse('deadline_exceeded'));
    }
    return this.#finish(refuse('engine_unavailable', { detail: `the stream closed with ${code}` }));
  }

  #retryOrFail(detail: string): void {
    if (this.#retried || this.#done === undefined)
      return this.#finish(refuse('engine_unavailable', { detail }));
    this.#retried = true;
    this.#stream = undefined;
    return this.#waitForConnection();
  }

  #finish(outcome: EngineReply | Refusal): void {
    const done = this.#done;
    if (done === undefined) return;
    this.#done = undefined;
    this.#deps.deadlines.cancel(this, this.#bucket);
    const stream = this.#stream;
    if (outcome instanceof Error) stream?.reset(Http2Code.CANCEL);
    this.#chunks = [];
    done(outcome);
  }
}

function isWhole(body: Buffer): boolean {
  return body.length >= PREFIX_BYTES && body[0] === 0 && frameLength(body) === body.length - PREFIX_BYTES;
}
