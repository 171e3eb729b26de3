import { applyCodec, type ServedCodec } from './apply-codec.ts';
import type { Authorize, CodecOperation } from './authorize.ts';
import { CodecRequestError } from './codec-request-error.ts';
import type { Cors } from './cors.ts';
import { formatPayloads, parsePayloads } from './payloads-json.ts';
import { type BodyLimits, readBody, within } from './read-body.ts';

export interface CodecLimits extends BodyLimits {
  /** For the codec, and for whoever decides who may ask. */
  readonly codecTimeoutMs: number;
  /** More are told to come again: together they hold at most this many bodies in memory. */
  readonly requestsAtOnceMax: number;
}

/** A request, whatever server it came by. */
export interface CodecRequest {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  /** A header by its name in small letters. */
  header(name: string): string | undefined;
  readonly body: AsyncIterable<Uint8Array>;
}

export interface CodecAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** What happened, for a log. */
export interface RequestReport {
  readonly status: number;
  readonly ms: number;
  readonly operation?: CodecOperation;
  readonly namespace?: string;
  readonly subject?: string;
  readonly origin?: string;
  readonly payloads?: number;
  /** Why it was not answered with payloads. */
  readonly reason?: string;
}

export interface AnsweringOptions {
  readonly codec: (
    namespace: string | undefined,
  ) => ServedCodec | undefined | Promise<ServedCodec | undefined>;
  readonly cors: Cors;
  readonly authorize: Authorize;
  readonly mayEncode: boolean;
  readonly limits: CodecLimits;
  readonly onRequest?: (report: RequestReport) => void;
}

export type Answering = (request: CodecRequest) => Promise<CodecAnswer>;

type Report = { -readonly [K in keyof RequestReport]?: RequestReport[K] };

/** Plaintext must not stay in a cache, nor be taken for a page. */
const ALWAYS = { 'Cache-Control': 'no-store', 'X-Content-Type-Options': 'nosniff' };
const NAMESPACE_CHARS_MAX = 255;

/** Answers every request with something; nothing that went wrong inside reaches the one who asked. */
export function createAnswering(options: AnsweringOptions): Answering {
  let running = 0;
  return async (request) => {
    const started = performance.now();
    const report: Report = {};
    let cors: Readonly<Record<string, string>> = {};
    let reply: CodecAnswer;
    running += 1;
    try {
      const operation = operationOf(request);
      report.operation = operation;
      cors = options.cors.grant(noteOrigin(request, report));
      if (running > options.limits.requestsAtOnceMax)
        throw new CodecRequestError(503, 'too many requests at once', { 'Retry-After': '1' });
      reply = await answer(options, operation, request, report);
    } catch (error) {
      reply = refusal(error, report);
    } finally {
      running -= 1;
    }
    options.onRequest?.({ ...report, status: reply.status, ms: Math.round(performance.now() - started) });
    return { ...reply, headers: { ...ALWAYS, ...cors, ...reply.headers } };
  };
}

/** In this order: nobody's body is read before it is known that he may ask. */
async function answer(
  options: AnsweringOptions,
  operation: CodecOperation,
  request: CodecRequest,
  report: Report,
): Promise<CodecAnswer> {
  const { limits, cors } = options;
  const isPreflight = request.method === 'OPTIONS' && request.header('origin') !== undefined;
  if (isPreflight) return { status: 204, headers: cors.preflight, body: '' };
  if (request.method !== 'POST')
    throw new CodecRequestError(405, 'only POST is answered here', { Allow: 'POST, OPTIONS' });
  if (operation === 'encode' && !options.mayEncode)
    throw new CodecRequestError(404, 'this server only decodes');
  const namespace = namespaceOf(request);
  if (namespace !== undefined) report.namespace = namespace;
  await authorized(options, operation, namespace, request, report);
  checkForm(request);
  const body = await readBody(request.body, request.header('content-length'), limits);
  const payloads = parsePayloads(body);
  report.payloads = payloads.length;
  const codec = await options.codec(namespace);
  if (codec === undefined) throw new CodecRequestError(404, 'no codec for this namespace here');
  const late = new CodecRequestError(503, 'the codec did not answer in time');
  const done = await within(applyCodec(codec, operation, payloads), limits.codecTimeoutMs, late);
  return { status: 200, headers: { 'Content-Type': 'application/json' }, body: formatPayloads(done) };
}

async function authorized(
  { authorize, limits }: AnsweringOptions,
  operation: CodecOperation,
  namespace: string | undefined,
  request: CodecRequest,
  report: Report,
): Promise<void> {
  const unsure = new CodecRequestError(503, 'it cannot be checked now who you are', { 'Retry-After': '5' });
  const asked = authorize({ operation, namespace, header: (name) => request.header(name) });
  const decided = await within(asked, limits.codecTimeoutMs, unsure).catch((error: unknown) => {
    report.reason = `authorization failed: ${nameOf(error)}`;
    throw unsure;
  });
  if (decided.outcome === 'permitted') {
    if (decided.subject !== undefined) report.subject = decided.subject;
    return;
  }
  report.reason = decided.reason;
  if (decided.outcome === 'unauthenticated')
    throw new CodecRequestError(401, 'an access token is needed', { 'WWW-Authenticate': 'Bearer' });
  throw new CodecRequestError(403, `no permission to ${operation} for this namespace`);
}

/** Only the last element of the path decides, so that a server may stand under any path. */
function operationOf({ path }: CodecRequest): CodecOperation {
  const last = path.slice(path.lastIndexOf('/') + 1);
  if (last === 'encode' || last === 'decode') return last;
  throw new CodecRequestError(404, 'only /encode and /decode are answered here');
}

function noteOrigin(request: CodecRequest, report: Report): string | undefined {
  const origin = request.header('origin');
  if (origin !== undefined) report.origin = origin.slice(0, NAMESPACE_CHARS_MAX);
  return origin;
}

function namespaceOf(request: CodecRequest): string | undefined {
  const namespace = request.header('x-namespace');
  if (namespace !== undefined && (namespace === '' || namespace.length > NAMESPACE_CHARS_MAX))
    throw new CodecRequestError(400, 'X-Namespace is the id of one namespace');
  return namespace;
}

/** A page of any origin may send other types without asking first (CORS, "simple requests"). */
function checkForm(request: CodecRequest): void {
  const type = (request.header('content-type') ?? '').split(';', 1)[0]?.trim().toLowerCase();
  if (type !== 'application/json') throw new CodecRequestError(415, 'the body must be application/json');
  const coding = request.header('content-encoding') ?? 'identity';
  if (coding.toLowerCase() !== 'identity')
    throw new CodecRequestError(415, 'the body must not be compressed');
}

function refusal(error: unknown, report: Report): CodecAnswer {
  const plain = { 'Content-Type': 'text/plain; charset=utf-8' };
  if (error instanceof CodecRequestError) {
    report.reason ??= error.message;
    return { status: error.status, headers: { ...plain, ...error.headers }, body: `${error.message}\n` };
  }
  // By name and code alone: what it says may hold what was read.
  report.reason = nameOf(error);
  return { status: 500, headers: plain, body: 'internal error\n' };
}

function nameOf(error: unknown): string {
  if (!(error instanceof Error)) return 'Error';
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  return /^[A-Z0-9_]{1,60}$/.test(code) ? `${error.name} ${code}` : error.name;
}
