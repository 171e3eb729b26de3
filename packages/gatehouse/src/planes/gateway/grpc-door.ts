import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';
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
import { isPassedMetadata } from './engine-metadata.ts';
import { writeGrpcAnswer } from './grpc-answer.ts';
import { isGrpcContentType } from './grpc-content-type.ts';
import type { CallHead, Connection } from './identified-call.ts';
import { Call, type PipelineDeps } from './pipeline.ts';

/**
 * Services of the gateway's own that stream: they take over the stream of an open call. Where `gzip`, messages
 * may be compressed: Java's SDK compresses even its health check.
 */
export type StreamService = (stream: ServerHttp2Stream, call: Call, head: CallHead, gzip: boolean) => void;

export interface GrpcDoorDeps extends PipelineDeps {
  /** By HTTP/2 path: health and reflection. */
  readonly streamServices: ReadonlyMap<string, { readonly open: boolean; readonly serve: StreamService }>;
}

/** The wire stage of a gRPC call: one HTTP/2 stream in, one answer out. */
export function serveGrpcStream(
  deps: GrpcDoorDeps,
  connection: Connection,
  load: ConnectionLoad,
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  rawHeaders: readonly string[],
): void {
  stream.on('error', () => undefined);
  const { head, fault } = readHead(connection, headers, rawHeaders);
  // Who does not speak gRPC takes a status of 200 for a success (gRPC PROTOCOL-HTTP2, Content-Type).
  const httpStatus = isGrpcContentType(headers['content-type']) ? 200 : 415;
  const call = new Call(deps, head, load, (answer) =>
    writeGrpcAnswer(stream, answer, head.requestId, httpStatus),
  );
  stream.on('close', () => call.cancel());
  if (fault !== undefined) return call.refuse(fault);
  const service = deps.streamServices.get(head.path);
  const gzip = headers['grpc-encoding'] === 'gzip';
  if (service?.open === true) return service.serve(stream, call, head, gzip);
  if (!call.open()) return undefined;
  if (service !== undefined) return service.serve(stream, call, head, gzip);
  return gatherMessage(call, { load, deadlines: deps.relay.deadlines }, stream, headers['grpc-encoding']);
}

/** Reads the head of a call. A fault in it refuses the call, but the head is still recorded. */
function readHead(
  connection: Connection,
  headers: IncomingHttpHeaders,
  rawHeaders: readonly string[],
): { head: CallHead; fault: Error | undefined } {
  let fault: Error | undefined;
  let timeoutMs: number | undefined;
  try {
    checkForm(headers);
    timeoutMs = parseGrpcTimeout(single(headers['grpc-timeout']));
    checkEncoding(headers);
  } catch (error) {
    fault = asRefusal(error);
  }
  const head: CallHead = {
    connection,
    requestId: nextRequestId(),
    path: headers[':path'] ?? '',
    authority: headers[':authority'] ?? headers.host ?? '',
    namespaceHeaders:
      headers['temporal-namespace'] === undefined ? [] : sentValues(rawHeaders, 'temporal-namespace'),
    ambiguous: headers['temporal-namespace-bin'] !== undefined,
    timeoutMs,
    metadata: passedMetadata(headers),
  };
  return { head, fault };
}

function checkForm(headers: IncomingHttpHeaders): void {
  if (headers[':method'] !== 'POST' || !isGrpcContentType(headers['content-type']))
    throw refuse('content_type_unknown');
}

function checkEncoding(headers: IncomingHttpHeaders): void {
  const encoding = single(headers['grpc-encoding']) ?? 'identity';
  if (encoding !== 'identity' && encoding !== 'gzip') throw refuse('encoding_unknown');
}

function single(value: string | string[] | undefined): string | undefined {
  return typeof value === 'string' || value === undefined ? value : value.join(',');
}

/** Every value of a header as it was sent: the runtime joins repeated ones, which would hide them. */
function sentValues(rawHeaders: readonly string[], name: string): string[] {
  const values: string[] = [];
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    if (rawHeaders[index] === name) values.push(rawHeaders[index + 1] ?? '');
  }
  return values;
}

function passedMetadata(headers: IncomingHttpHeaders): string[] {
  const passed: string[] = [];
  for (const name of PASSED_NAMES) {
    const value = headers[name];
    if (typeof value === 'string' && isPassedMetadata(name, value)) passed.push(name, value);
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
function gatherMessage(
  call: Call,
  { load, deadlines }: { readonly load: ConnectionLoad; readonly deadlines: Deadlines },
  stream: ServerHttp2Stream,
  encoding: string | string[] | undefined,
): void {
  const chunks: Buffer[] = [];
  let size = 0;
  let counted = 0;
  let announced: number | undefined;
  const upload: Deadlined = {
    // A stop of the gateway need not wait for a message that may never come.
    isLongPoll: true,
    expire: () => call.refuse(refuse('deadline_exceeded', { detail: 'the message did not come in time' })),
    endForStop: () => call.refuse(refuse('draining')),
  };
  const bucket = deadlines.add(upload, MESSAGE_TIMEOUT_MS);
  const release = (): void => {
    deadlines.cancel(upload, bucket);
    load.releaseRequest(counted);
    counted = 0;
  };
  stream.on('close', release);
  stream.on('data', (chunk: Buffer) => {
    if (call.isOver) return;
    size += chunk.length;
    counted += chunk.length;
    const over = load.holdRequest(chunk.length);
    chunks.push(chunk);
    // Once only: a body of single bytes must not be put together for each of them.
    if (size >= PREFIX_BYTES) announced ??= announcedLength(chunks, size);
    if (Math.max(announced ?? 0, size - PREFIX_BYTES) > REQUEST_BYTES_MAX)
      call.refuse(refuse('message_too_large'));
    else if (over !== undefined) call.refuse(refuse(over));
  });
  stream.on('end', () => {
    deadlines.cancel(upload, bucket);
    if (call.isOver) return;
    const [only] = chunks;
    const bytes = chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks, size);
    sendWhole(call, bytes, encoding, (error) => refuseUnlessGone(call, stream, error));
  });
}

/** What the prefix announces: refused before it is buffered (T-031). */
function announcedLength(chunks: readonly Buffer[], size: number): number {
  const [first] = chunks;
  if (first === undefined) return 0;
  return frameLength(first.length >= PREFIX_BYTES ? first : Buffer.concat(chunks, size));
}

function sendWhole(
  call: Call,
  bytes: Buffer,
  encoding: string | string[] | undefined,
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

/**
 * A caller that goes away in the middle of its message has sent no malformed one: its call is cancelled when the
 * stream closes. Clients on Node end the stream first and reset it right after, so the end alone does not tell.
 */
function refuseUnlessGone(call: Call, stream: ServerHttp2Stream, error: unknown): void {
  setImmediate(() => {
    if (!stream.aborted) call.refuse(error);
  });
}
