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
import { isPassedMetadata } from './engine-metadata.ts';
import { writeGrpcAnswer } from './grpc-answer.ts';
import type { CallHead, Connection } from './identified-call.ts';
import { Call, type PipelineDeps } from './pipeline.ts';

/** Bytes of requests that one connection may have in flight: a few of the largest messages. */
const CONNECTION_BYTES_MAX = 64 * 1024 * 1024;

/** What one connection holds at the moment. */
export interface ConnectionLoad {
  bytes: number;
}

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
  const call = new Call(deps, head, (answer) => writeGrpcAnswer(stream, answer, head.requestId));
  stream.on('close', () => call.cancel());
  if (fault !== undefined) return call.refuse(fault);
  const service = deps.streamServices.get(head.path);
  const gzip = headers['grpc-encoding'] === 'gzip';
  if (service?.open === true) return service.serve(stream, call, head, gzip);
  if (!call.open()) return undefined;
  if (service !== undefined) return service.serve(stream, call, head, gzip);
  return gatherMessage(call, load, stream, headers['grpc-encoding']);
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
    timeoutMs = parseGrpcTimeout(single(headers['grpc-timeout']));
    checkForm(headers);
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
  if (headers[':method'] !== 'POST' || !(headers['content-type'] ?? '').startsWith('application/grpc')) {
    throw refuse('content_type_unknown');
  }
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

/** Gathers the one message of a unary call, within the bounds, and sends it on its way. */
function gatherMessage(
  call: Call,
  load: ConnectionLoad,
  stream: ServerHttp2Stream,
  encoding: string | string[] | undefined,
): void {
  const chunks: Buffer[] = [];
  let size = 0;
  let counted = 0;
  const release = (): void => {
    load.bytes -= counted;
    counted = 0;
  };
  stream.on('close', release);
  stream.on('data', (chunk: Buffer) => {
    if (call.isOver) return;
    size += chunk.length;
    counted += chunk.length;
    load.bytes += chunk.length;
    chunks.push(chunk);
    const limit = announcedLimit(chunks, size);
    if (limit > REQUEST_BYTES_MAX) call.refuse(refuse('message_too_large'));
    else if (load.bytes > CONNECTION_BYTES_MAX) call.refuse(refuse('memory_limit'));
  });
  stream.on('end', () => {
    if (call.isOver) return;
    const [only] = chunks;
    const bytes = chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks, size);
    sendWhole(call, bytes, encoding, (error) => refuseUnlessGone(call, stream, error));
  });
}

/** The larger of what came and what the prefix announces: refused before it is buffered (T-031). */
function announcedLimit(chunks: readonly Buffer[], size: number): number {
  const came = size - PREFIX_BYTES;
  const [first] = chunks;
  if (first === undefined || size < PREFIX_BYTES) return 0;
  const prefix = first.length >= PREFIX_BYTES ? first : Buffer.concat(chunks, size);
  return Math.max(came, frameLength(prefix));
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
