import { fieldOf, type HeaderFields } from '#base/http2/header-fields';
import type { StreamReader } from '#base/http2/http2-stream';
import type { ServerStream } from '#base/http2/server-stream';
import { asRefusal, refuse } from '#base/model/refusals';
import { nextRequestId } from '#base/runtime/ids';
import {
  checkSingleFrame,
  frameLength,
  gunzipFrame,
  PREFIX_BYTES,
  REQUEST_BYTES_MAX,
} from '#base/wire/grpc-message';
import { parseGrpcTimeout } from '#base/wire/grpc-timeout';
import type { ConnectionLoad } from '#core/limits/connection-load';
import type { Deadlined, Deadlines } from './deadlines.ts';
import { discard } from './discard.ts';
import { isPassedMetadata } from './engine-metadata.ts';
import { writeGrpcAnswer } from './grpc-answer.ts';
import { isGrpcContentType } from './grpc-content-type.ts';
import type { CallHead, Connection } from './identified-call.ts';
import { Call, type PipelineDeps } from './pipeline.ts';

/**
 * Services of the gateway's own that stream: they take over the stream of an open call. Where `gzip`, messages
 * may be compressed: Java's SDK compresses even its health check.
 */
export type StreamService = (stream: ServerStream, call: Call, head: CallHead, gzip: boolean) => void;

export interface GrpcDoorDeps extends PipelineDeps {
  /** By HTTP/2 path: health and reflection. */
  readonly streamServices: ReadonlyMap<string, { readonly open: boolean; readonly serve: StreamService }>;
}

/** The wire stage of a gRPC call: one HTTP/2 stream in, one answer out. */
export function serveGrpcStream(
  deps: GrpcDoorDeps,
  connection: Connection,
  load: ConnectionLoad,
  stream: ServerStream,
): void {
  const fields = readGrpcFields(stream.fields);
  const { head, fault } = readHead(connection, fields, stream.fields);
  // Who does not speak gRPC takes a status of 200 for a success (gRPC PROTOCOL-HTTP2, Content-Type).
  const httpStatus = isGrpcContentType(fields.contentType) ? 200 : 415;
  const call = new Call(deps, head, load, (answer) =>
    writeGrpcAnswer(stream, answer, head.requestId, httpStatus),
  );
  const service = deps.streamServices.get(head.path);
  const gzip = fields.encoding === 'gzip';
  const serve = service?.serve;
  const isRefused = fault !== undefined || (service?.open !== true && !call.open());
  if (fault !== undefined) call.refuse(fault);
  if (serve !== undefined && !isRefused) return serve(stream, call, head, gzip);
  return stream.read(new MessageReader(call, load, deps.relay.deadlines, stream, fields.encoding));
}

/** What the wire stage looks at of a request's headers. */
interface GrpcFields {
  method: string;
  path: string;
  authority: string | undefined;
  host: string;
  contentType: string | undefined;
  timeout: string | undefined;
  encoding: string | undefined;
  hasNamespace: boolean;
  hasBinaryNamespace: boolean;
}

/** One pass over the headers; what is sent twice is joined, and then mostly refused. */
function readGrpcFields(sent: HeaderFields): GrpcFields {
  const fields: GrpcFields = {
    method: '',
    path: '',
    authority: undefined,
    host: '',
    contentType: undefined,
    timeout: undefined,
    encoding: undefined,
    hasNamespace: false,
    hasBinaryNamespace: false,
  };
  for (let at = 0; at < sent.length; at += 2) {
    const value = sent[at + 1] ?? '';
    switch (sent[at]) {
      case ':method':
        fields.method = value;
        break;
      case ':path':
        fields.path = value;
        break;
      case ':authority':
        fields.authority = value;
        break;
      case 'host':
        fields.host = value;
        break;
      case 'content-type':
        fields.contentType = joined(fields.contentType, value);
        break;
      case 'grpc-timeout':
        fields.timeout = joined(fields.timeout, value);
        break;
      case 'grpc-encoding':
        fields.encoding = joined(fields.encoding, value);
        break;
      case 'temporal-namespace':
        fields.hasNamespace = true;
        break;
      case 'temporal-namespace-bin':
        fields.hasBinaryNamespace = true;
        break;
    }
  }
  return fields;
}

function joined(before: string | undefined, value: string): string {
  return before === undefined ? value : `${before}, ${value}`;
}

/** Reads the head of a call. A fault in it refuses the call, but the head is still recorded. */
function readHead(
  connection: Connection,
  fields: GrpcFields,
  sent: HeaderFields,
): { head: CallHead; fault: Error | undefined } {
  let fault: Error | undefined;
  let timeoutMs: number | undefined;
  try {
    if (fields.method !== 'POST' || !isGrpcContentType(fields.contentType)) {
      throw refuse('content_type_unknown');
    }
    timeoutMs = parseGrpcTimeout(fields.timeout);
    const encoding = fields.encoding ?? 'identity';
    if (encoding !== 'identity' && encoding !== 'gzip') throw refuse('encoding_unknown');
  } catch (error) {
    fault = asRefusal(error);
  }
  const head: CallHead = {
    connection,
    requestId: nextRequestId(),
    path: fields.path,
    authority: fields.authority ?? fields.host,
    namespaceHeaders: fields.hasNamespace ? sentValues(sent, 'temporal-namespace') : [],
    ambiguous: fields.hasBinaryNamespace,
    timeoutMs,
    metadata: passedMetadata(sent),
  };
  return { head, fault };
}

/** Every value of a header by itself: joined ones would hide that there are several. */
function sentValues(sent: HeaderFields, name: string): string[] {
  const values: string[] = [];
  for (let at = 0; at < sent.length; at += 2) {
    if (sent[at] === name) values.push(sent[at + 1] ?? '');
  }
  return values;
}

function passedMetadata(sent: HeaderFields): string[] {
  const passed: string[] = [];
  for (const name of PASSED_NAMES) {
    const value = fieldOf(sent, name);
    if (value !== undefined && isPassedMetadata(name, value)) passed.push(name, value);
  }
  return passed;
}

const PASSED_NAMES = [
  'client-name',
  'client-version',
  'supported-server-versions',
  'supported-features',
  'traceparent',
  'tracestate',
];

/** threats.md T-028: a message that has not come by then is not waited for; as over HTTPS. */
const MESSAGE_TIMEOUT_MS = 30_000;

/** Gathers the one message of a unary call, within the bounds, and sends it on its way. */
class MessageReader implements StreamReader, Deadlined {
  /** A stop of the gateway need not wait for a message that may never come. */
  readonly isLongPoll = true;
  readonly #call: Call;
  readonly #load: ConnectionLoad;
  readonly #deadlines: Deadlines;
  readonly #stream: ServerStream;
  readonly #encoding: string | undefined;
  readonly #bucket: number;
  #chunks: Buffer[] = [];
  #size = 0;
  #counted = 0;
  #announced: number | undefined;
  #discarded = 0;

  constructor(
    call: Call,
    load: ConnectionLoad,
    deadlines: Deadlines,
    stream: ServerStream,
    encoding: string | undefined,
  ) {
    this.#call = call;
    this.#load = load;
    this.#deadlines = deadlines;
    this.#stream = stream;
    this.#encoding = encoding;
    this.#bucket = call.isOver ? NO_BUCKET : deadlines.add(this, MESSAGE_TIMEOUT_MS);
  }

  expire(): void {
    this.#call.refuse(refuse('deadline_exceeded', { detail: 'the message did not come in time' }));
  }

  endForStop(): void {
    this.#call.refuse(refuse('draining'));
  }

  data(chunk: Buffer): void {
    if (this.#call.isOver) {
      this.#discarded = discard(this.#stream, chunk.length, this.#discarded);
      return;
    }
    this.#size += chunk.length;
    this.#counted += chunk.length;
    const over = this.#load.holdRequest(chunk.length);
    this.#chunks.push(chunk);
    // Once only: a body of single bytes must not be put together for each of them.
    if (this.#size >= PREFIX_BYTES) this.#announced ??= announcedLength(this.#chunks, this.#size);
    if (Math.max(this.#announced ?? 0, this.#size - PREFIX_BYTES) > REQUEST_BYTES_MAX)
      this.#call.refuse(refuse('message_too_large'));
    else if (over !== undefined) this.#call.refuse(refuse(over));
  }

  end(): void {
    this.#deadlines.cancel(this, this.#bucket);
    const chunks = this.#chunks;
    this.#chunks = [];
    if (this.#call.isOver) return;
    const [only] = chunks;
    const bytes = chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks, this.#size);
    sendWhole(this.#call, bytes, this.#encoding, (error) => this.#refuseUnlessGone(error));
  }

  closed(): void {
    this.#deadlines.cancel(this, this.#bucket);
    this.#load.releaseRequest(this.#counted);
    this.#chunks = [];
    this.#call.cancel();
  }

  /**
   * A caller that goes away in the middle of its message has sent no malformed one: its call is cancelled when the
   * stream closes. Clients on Node end the stream first and reset it right after, so the end alone does not tell.
   */
  #refuseUnlessGone(error: unknown): void {
    setImmediate(() => {
      if (!this.#stream.isClosed) this.#call.refuse(error);
    });
  }
}

/** Not in the wheel of deadlines. */
const NO_BUCKET = -1;

/** What the prefix announces: refused before it is buffered (T-031). */
function announcedLength(chunks: readonly Buffer[], size: number): number {
  const [first] = chunks;
  if (first === undefined) return 0;
  return frameLength(first.length >= PREFIX_BYTES ? first : Buffer.concat(chunks, size));
}

function sendWhole(
  call: Call,
  bytes: Buffer,
  encoding: string | undefined,
  refused: (error: unknown) => void,
): void {
  try {
    if (!checkSingleFrame(bytes)) return call.send(bytes);
    if (encoding !== 'gzip') throw refuse('frame_malformed', { detail: 'compressed without grpc-encoding' });
    gunzipFrame(bytes, REQUEST_BYTES_MAX).then((frame) => call.send(frame), refused);
    return undefined;
  } catch (error) {
    return refused(error);
  }
}
