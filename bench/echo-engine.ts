/**
 * A process in the place of the engine: HTTP/2 over mutual TLS 1.3, any method of WorkflowService answered at
 * once, mostly with an empty message, PollWorkflowTaskQueue held until its deadline. Measured calls are not
 * authorized: what they cost is the same for every proxy. Started by `echo-process.ts`, which gives the files as the first argument.
 */
import { readFileSync } from 'node:fs';
import { createSecureServer, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import { NAMESPACE } from './certificates.ts';
import { isTokenGood } from './echo-authorizer.ts';
import { field, grpcFrame, walk } from './protobuf.ts';

/** What the parent passes on the command line, as JSON. */
export interface EchoSettings {
  readonly caFile: string;
  readonly certificateFile: string;
  readonly keyFile: string;
  /** Where a gateway publishes the keys of its tokens. */
  readonly jwksUrl: string;
}

/** Sent to the parent: once when listening, then once per question. */
export type EchoReport = { readonly port: number } | { readonly parkedPolls: number };

/** What a gateway reads before it opens: the engine's version, and the engine's id of a namespace. */
const ANSWERS: ReadonlyMap<string, Buffer> = new Map([
  ['GetSystemInfo', grpcFrame(field(1, '1.31.2'))],
  ['DescribeNamespace', grpcFrame(field(1, field(6, '0190f7a2-0000-7000-8000-5b2f7c3a9d10')))],
]);
const EMPTY_FRAME = Buffer.alloc(5);
const RESPONSE = { ':status': 200, 'content-type': 'application/grpc' };
const NOT_FOUND = '5';
const PERMISSION_DENIED = '7';
const OK = { 'grpc-status': '0' };
const UNIT_MS: Readonly<Record<string, number>> = { n: 1e-6, u: 1e-3, m: 1, S: 1e3, M: 6e4, H: 3.6e6 };

let parkedPolls = 0;

function startEcho(settings: EchoSettings): void {
  const server = createSecureServer({
    ca: readFileSync(settings.caFile),
    cert: readFileSync(settings.certificateFile),
    key: readFileSync(settings.keyFile),
    minVersion: 'TLSv1.3',
    requestCert: true,
    rejectUnauthorized: true,
    // 10,000 parked polls may sit on a few connections, and all be reset at once when a run ends.
    maxSessionMemory: 4_000,
    streamResetBurst: 1_000_000,
    streamResetRate: 1_000_000,
    settings: { initialWindowSize: 1 << 20 },
  });
  server.on('stream', (stream, headers) => onStream(stream, headers, settings.jwksUrl));
  // Peers come and go by design here: a reset is no news.
  server.on('sessionError', () => undefined);
  server.listen({ port: 0, host: '127.0.0.1', backlog: 4_096 }, () => {
    const address = server.address();
    if (address !== null && typeof address === 'object') report({ port: address.port });
  });
}

function onStream(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, jwksUrl: string): void {
  stream.on('error', () => undefined);
  const path = headers[':path'] ?? '';
  const method = path.slice(path.lastIndexOf('/') + 1);
  if (method === 'CountWorkflowExecutions') {
    authorize(stream, headers.authorization, jwksUrl);
    return;
  }
  stream.resume();
  if (method === 'PollWorkflowTaskQueue') park(stream, timeoutMs(headers['grpc-timeout']));
  else stream.on('end', () => answer(stream, ANSWERS.get(method) ?? EMPTY_FRAME));
}

/** The call with which a gateway tries out the engine: refused without a good token, as the engine does. */
function authorize(stream: ServerHttp2Stream, token: string | undefined, jwksUrl: string): void {
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  stream.on('end', async () => {
    const namespace = walk(Buffer.concat(chunks).subarray(5)).bytes.get(1)?.[0]?.toString() ?? '';
    if (!(await isTokenGood(token, namespace, jwksUrl))) refuse(stream, PERMISSION_DENIED);
    else if (namespace !== NAMESPACE) refuse(stream, NOT_FOUND);
    else answer(stream, EMPTY_FRAME);
  });
}

function refuse(stream: ServerHttp2Stream, status: string): void {
  if (!stream.destroyed) stream.respond({ ...RESPONSE, 'grpc-status': status }, { endStream: true });
}

function park(stream: ServerHttp2Stream, holdMs: number): void {
  parkedPolls += 1;
  const timer = setTimeout(() => answer(stream, EMPTY_FRAME), holdMs);
  stream.on('close', () => {
    parkedPolls -= 1;
    clearTimeout(timer);
  });
}

function answer(stream: ServerHttp2Stream, frame: Buffer): void {
  if (stream.destroyed || stream.closed) return;
  stream.respond(RESPONSE, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers(OK));
  stream.end(frame);
}

/** The engine answers an empty poll a little before the deadline; so does this. */
function timeoutMs(header: string | string[] | undefined): number {
  const text = typeof header === 'string' ? header : '60S';
  const value = Number(text.slice(0, -1)) * (UNIT_MS[text.slice(-1)] ?? 1e3);
  return Math.max(0, Math.min(value, 2 ** 31 - 1) - 1_000);
}

function report(message: EchoReport): void {
  process.send?.(message);
}

process.on('message', () => report({ parkedPolls }));
process.on('disconnect', () => process.exit());
startEcho(JSON.parse(process.argv[2] ?? '{}') as EchoSettings);
