import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  constants,
  type IncomingHttpHeaders,
} from 'node:http2';
import type { Frame } from '#base/model/frame';
import { GrpcStatus } from '#base/model/grpc-status';
import { asRefusal, type Refusal, refuse } from '#base/model/refusals';
import { endWithFrame } from '#base/wire/end-with-frame';
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
export class Relay implements Deadlined {
  readonly #call: PermittedCall;
  readonly #deps: RelayDeps;
  readonly #path: string;
  readonly #frame: Frame;
  #done: ((outcome: EngineReply | Refusal) => void) | undefined;
  #stream: ClientHttp2Stream | undefined;
  #retried = false;
  #bucket = -1;
  #head: IncomingHttpHeaders | undefined;
  #trailers: IncomingHttpHeaders | undefined;
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
    const session = this.#deps.pool.ready();
    if (session !== undefined) this.#send(session);
    else this.#waitForSession();
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

  #waitForSession(): void {
    this.#deps.pool.acquire().then(
      (session) => this.#send(session),
      (error: unknown) => this.#finish(asRefusal(error)),
    );
  }

  #send(session: ClientHttp2Session): void {
    if (this.#done === undefined) return;
    let headers: readonly string[];
    try {
      headers = this.#headers();
    } catch (error) {
      // A bug of ours, which another connection would not mend.
      return this.#finish(asRefusal(error));
    }
    let stream: ClientHttp2Stream;
    try {
      stream = this.#deps.pool.request(session, headers);
    } catch {
      // The session closed between being chosen and being used: nothing was sent.
      return this.#retryOrFail('the connection closed');
    }
    this.#stream = stream;
    stream.on('response', (headers) => {
      this.#head = headers;
    });
    stream.on('trailers', (trailers: IncomingHttpHeaders) => {
      this.#trailers = trailers;
    });
    stream.on('data', (chunk: Buffer) => this.#gather(chunk));
    stream.on('end', () => this.#complete());
    stream.on('error', () => undefined);
    stream.on('close', () => this.#closed(stream));
    endWithFrame(stream, this.#frame);
  }

  #headers(): string[] {
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

  #gather(chunk: Buffer): void {
    this.#size += chunk.length;
    if (this.#size > REPLY_BYTES_MAX + PREFIX_BYTES) {
      this.#finish(refuse('message_too_large', { detail: 'reply of the engine' }));
      return;
    }
    this.#chunks.push(chunk);
  }

  #complete(): void {
    const ends = this.#trailers?.['grpc-status'] === undefined ? this.#head : this.#trailers;
    const statusText = ends?.['grpc-status'];
    // A stream that the engine resets, at a deadline above all, ends like this too: `close` knows why.
    if (typeof statusText !== 'string') return undefined;
    const status = Number(statusText);
    const [only] = this.#chunks;
    const body =
      this.#chunks.length === 1 && only !== undefined ? only : Buffer.concat(this.#chunks, this.#size);
    if (status === GrpcStatus.OK && !isWhole(body)) {
      return this.#finish(refuse('engine_unavailable', { detail: 'the reply was cut short' }));
    }
    return this.#finish({
      status,
      message: decodeGrpcMessage(textOf(ends?.['grpc-message'])),
      frame: status === GrpcStatus.OK ? body : undefined,
      details:
        ends?.['grpc-status-details-bin'] === undefined ? undefined : textOf(ends['grpc-status-details-bin']),
      headers: this.#passedHeaders(),
    });
  }

  #passedHeaders(): string[] {
    const passed: string[] = [];
    for (const name of PASSED_HEADERS) {
      const value = this.#head?.[name];
      if (typeof value === 'string') passed.push(name, value);
    }
    return passed;
  }

  #closed(stream: ClientHttp2Stream): void {
    if (this.#done === undefined || stream !== this.#stream) return;
    const code = stream.rstCode;
    // REFUSED_STREAM: the engine has not looked at it, so another connection may (RFC 9113 section 8.7).
    if (code === constants.NGHTTP2_REFUSED_STREAM) return this.#retryOrFail('refused');
    // A stream ends with CANCEL at the engine's deadline, but also when the connection breaks.
    const isDue = this.#deps.deadlines.isDueWithin(this.#bucket, GRACE_MS);
    if (code === constants.NGHTTP2_CANCEL && isDue) {
      return this.#finish(refuse('deadline_exceeded'));
    }
    return this.#finish(refuse('engine_unavailable', { detail: `the stream closed with ${code}` }));
  }

  #retryOrFail(detail: string): void {
    if (this.#retried || this.#done === undefined)
      return this.#finish(refuse('engine_unavailable', { detail }));
    this.#retried = true;
    this.#stream = undefined;
    return this.#waitForSession();
  }

  #finish(outcome: EngineReply | Refusal): void {
    const done = this.#done;
    if (done === undefined) return;
    this.#done = undefined;
    this.#deps.deadlines.cancel(this, this.#bucket);
    const stream = this.#stream;
    if (stream !== undefined && outcome instanceof Error) stream.close(constants.NGHTTP2_CANCEL);
    this.#chunks = [];
    done(outcome);
  }
}

function isWhole(body: Buffer): boolean {
  return body.length >= PREFIX_BYTES && body[0] === 0 && frameLength(body) === body.length - PREFIX_BYTES;
}

function textOf(value: string | string[] | undefined): string {
  if (value === undefined) return '';
  return typeof value === 'string' ? value : value.join(', ');
}
