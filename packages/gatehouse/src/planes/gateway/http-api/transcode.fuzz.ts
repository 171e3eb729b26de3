import { equals, fromBinary, toJsonString } from '@bufbuild/protobuf';
import { engineApiRegistry } from '#base/proto/api-registry';
import { Fault, MessageScanner } from '#base/proto/scan-message';
import { requestTables } from '#base/proto/wire-tables';
import { PREFIX_BYTES } from '#base/wire/grpc-message';
import { ByteSource } from '#testing/fuzz/byte-source';
import { requestTable } from '#testing/fuzz/request-table';
import { sampleMessages } from '#testing/fuzz/sample-messages';
import { unlessRefused } from '#testing/fuzz/unless-refused';
import { type HttpRoute, httpRoutes, type RouteMatch } from './http-routes.ts';
import { parseRequestTarget } from './request-target.ts';
import { type HttpRequestContent, replyText, requestFrame } from './transcode.ts';

const routes = httpRoutes();
const scanner = new MessageScanner(requestTables, { reply: false });

/**
 * A body or a query becomes a message that the scanner takes or whose fault it names, and that message, as JSON in a
 * body, is the same one again.
 */
export function fuzz(bytes: Buffer): void {
  const source = new ByteSource(bytes);
  const route = source.pick(routes);
  const shorthand = source.flag();
  const content = contentOf(route, source.rest(), shorthand);
  if (content === undefined) return;
  const frame = frameOf({ route, values: valuesOf(route) }, content);
  if (frame === undefined) return;
  const message = frame.subarray(PREFIX_BYTES);
  const isFit =
    scanner.scan(requestTable(route.request.typeName), message) || scanner.fault !== Fault.malformed;
  if (!isFit) throw new Error(`malformed at ${scanner.faultAt}`);
  const json = replyText(route.request, message, { shorthand, pretty: false });
  const body = { query: [], body: Buffer.from(json), shorthand };
  const again = requestFrame({ route: { ...route, hasBody: true }, values: [] }, body).subarray(PREFIX_BYTES);
  // Also NaN is itself here.
  if (again.equals(message)) return;
  const [before, after] = [message, again].map((each) => fromBinary(route.request, each));
  if (before === undefined || after === undefined || equals(route.request, before, after)) return;
  // A plain value is JSON data: written anew it may be spaced otherwise, which is the same value.
  if (!shorthand) throw new Error(`${json}\nis another message`);
}

function frameOf(match: RouteMatch, content: HttpRequestContent): Buffer | undefined {
  return unlessRefused(
    () => requestFrame(match, content),
    'field_unknown',
    'input_invalid',
    'namespace_mismatch',
    'message_too_large',
  );
}

function contentOf(route: HttpRoute, bytes: Buffer, shorthand: boolean): HttpRequestContent | undefined {
  if (route.hasBody) return { query: [], body: bytes, shorthand };
  const target = `/x?${bytes.toString('latin1')}`;
  const read = unlessRefused(() => parseRequestTarget(target), 'input_invalid');
  return read && { query: read.query, body: Buffer.alloc(0), shorthand };
}

function valuesOf(route: HttpRoute): RouteMatch['values'] {
  return route.template.parts.flatMap((part) =>
    'field' in part ? [{ field: part.field, value: 'orders' }] : [],
  );
}

export const jsonFrom = 3;

export function* seeds(): Generator<Uint8Array> {
  const registry = engineApiRegistry();
  for (const { at, bytes } of sampleMessages('request')) {
    const number = routes.findIndex(
      ({ request, hasBody }) => hasBody && request.typeName === at.desc.typeName,
    );
    if (number < 0) continue;
    let json: string;
    try {
      json = toJsonString(at.desc, fromBinary(at.desc, bytes), { registry });
    } catch {
      // Times that JSON cannot say.
      continue;
    }
    for (const flag of [0, 1])
      yield Buffer.concat([Buffer.from([number >> 8, number, flag]), Buffer.from(json)]);
  }
  for (const [number, { hasBody }] of routes.entries())
    if (!hasBody)
      yield Buffer.from(
        `\0${String.fromCharCode(number)}\0query=x&pageSize=5&pretty&nextPageToken=YQ`,
        'latin1',
      );
}

export const dictionary: string[] = [
  'namespace',
  'payloads',
  'metadata',
  'execution.workflowId=w',
  '_protoMessageType',
];
