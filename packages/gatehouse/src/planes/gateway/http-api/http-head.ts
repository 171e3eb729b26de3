import { refuse } from '#base/model/refusals';
import { parseGrpcTimeout } from '#base/wire/grpc-timeout';
import { isPassedMetadata } from '../engine-metadata.ts';
import type { CallHead, Connection } from '../identified-call.ts';
import type { HttpExchange } from './http-exchange.ts';

/** HTTP callers name no deadline as a rule: long enough for every wait that the engine knows. */
const TIMEOUT_MS = 70_000;
// threats.md T-026. The same number as on HTTP/2.
const HEADERS_MAX = 128;
const PREFIX = 'grpc-metadata-';
const NAMESPACE = 'temporal-namespace';

/** Metadata that the engine's HTTP API takes under its own name, too. */
const bareNames = ['client-name', 'client-version', 'traceparent', 'tracestate'];
const prefixedNames = [...bareNames, 'supported-server-versions', 'supported-features'];
const PRINTABLE = /^[\x20-\x7e]*$/;

/** The head of the call that an HTTP request makes. @throws Refusal `timeout_malformed`. */
export function headOf(
  connection: Connection,
  requestId: string,
  path: string,
  exchange: HttpExchange,
): CallHead {
  const { headers, rawHeaders } = exchange;
  const asked = headers['grpc-timeout'];
  const timeoutMs = typeof asked === 'string' ? parseGrpcTimeout(asked) : undefined;
  return {
    connection,
    requestId,
    path,
    authority: exchange.authority,
    namespaceHeaders: [...sentValues(rawHeaders, NAMESPACE), ...sentValues(rawHeaders, PREFIX + NAMESPACE)],
    ambiguous: [`${NAMESPACE}-bin`, `${PREFIX}${NAMESPACE}-bin`].some((name) => headers[name] !== undefined),
    timeoutMs: Math.min(timeoutMs ?? TIMEOUT_MS, TIMEOUT_MS),
    metadata: passedMetadata(exchange),
  };
}

/** @throws Refusal for a head that somebody else might read differently, or that a browser sent for a page. */
export function checkHead({ headers, rawHeaders, overload }: HttpExchange): void {
  if (overload) throw refuse('stream_limit');
  if (rawHeaders.length / 2 > HEADERS_MAX)
    throw refuse('input_invalid', { publicDetail: 'too many headers' });
  if (sentValues(rawHeaders, 'host').length > 1) throw refuse('header_ambiguous', { publicDetail: 'host' });
  const encoding = headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity') throw refuse('encoding_unknown');
  // A browser attaches a client certificate by itself: a foreign page must not act with it.
  if (headers['origin'] !== undefined) throw refuse('method_denied', { detail: 'sent by a web page' });
}

function passedMetadata({ headers }: HttpExchange): string[] {
  const passed: string[] = [];
  for (const name of prefixedNames) {
    const value = headers[PREFIX + name] ?? (bareNames.includes(name) ? headers[name] : undefined);
    if (typeof value !== 'string' || !PRINTABLE.test(value)) continue;
    if (isPassedMetadata(name, value)) passed.push(name, value);
  }
  return passed;
}

/** Every value of a header as it was sent: the runtime joins or drops repeated ones, which would hide them. */
function sentValues(rawHeaders: readonly string[], name: string): string[] {
  const values: string[] = [];
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    if (rawHeaders[index]?.toLowerCase() === name) values.push(rawHeaders[index + 1] ?? '');
  }
  return values;
}
