import type { DescMessage } from '@bufbuild/protobuf';
import { fromBinary, fromJson, type JsonValue, toBinary, toJson } from '@bufbuild/protobuf';
import { Refusal, refuse } from '#base/model/refusals';
import { engineApiRegistry } from '#base/proto/api-registry';
import { PREFIX_BYTES, REQUEST_BYTES_MAX, toFrame } from '#base/wire/grpc-message';
import type { AnswerForm } from './answer-form.ts';
import { parseExactJson } from './exact-json.ts';
import type { RouteMatch } from './http-routes.ts';
import { fieldsAt, queryRequest, setField } from './query-request.ts';
import { shortenPayloads } from './reply-json.ts';
import { type JsonObject, normaliseRequest } from './request-json.ts';

/** What an HTTP request holds once all of it is there. */
export interface HttpRequestContent {
  readonly query: readonly (readonly [string, string])[];
  readonly body: Uint8Array;
  /** Payloads in the body may be plain JSON values. */
  readonly shorthand: boolean;
}

/**
 * The gRPC message that an HTTP request stands for. Path, query and body become one JSON tree, and one
 * parser reads it: nothing in it can be seen in two ways.
 * @throws Refusal.
 */
export function requestFrame({ route, values }: RouteMatch, content: HttpRequestContent): Buffer {
  const request = route.hasBody
    ? bodyRequest(route.request, content)
    : queryRequest(
        route.request,
        content.query,
        values.map((each) => each.field),
      );
  for (const { field, value } of values) setFromPath(request, route.request, field, value);
  const frame = toFrame(toBinary(route.request, parseMessage(route.request, request)));
  if (frame.length - PREFIX_BYTES > REQUEST_BYTES_MAX) throw refuse('message_too_large');
  return frame;
}

function bodyRequest(type: DescMessage, { body, shorthand }: HttpRequestContent): JsonObject {
  // The engine takes no body at all for an empty message.
  if (body.length === 0) return Object.create(null);
  let json: unknown;
  try {
    json = parseExactJson(body);
  } catch (cause) {
    throw refuse('input_invalid', { publicDetail: 'the body is not JSON', cause });
  }
  return normaliseRequest(type, json, shorthand);
}

/**
 * The path wins over the body, as in the engine, but for the namespace: one that is named twice must be
 * the same twice (design.md, decision 4).
 */
function setFromPath(request: JsonObject, type: DescMessage, path: readonly string[], value: string): void {
  const fields = fieldsAt(type, path);
  if (fields === undefined) throw new Error(`${type.typeName} has no ${path.join('.')}`);
  let holder: JsonObject | undefined = request;
  for (const field of fields.slice(0, -1)) holder = holder?.[field.jsonName] as JsonObject | undefined;
  const name = fields.at(-1)?.jsonName ?? '';
  const before = holder?.[name];
  if (path.join('.') === 'namespace' && before !== undefined && before !== '' && before !== value) {
    throw refuse('namespace_mismatch', { detail: 'the body names another namespace than the path' });
  }
  delete holder?.[name];
  setField(request, fields, value);
}

function parseMessage(type: DescMessage, request: JsonObject): ReturnType<typeof fromJson> {
  try {
    return fromJson(type, request as JsonValue, { registry: engineApiRegistry() });
  } catch (cause) {
    if (cause instanceof Refusal) throw cause;
    throw refuse('input_invalid', { publicDetail: placeOf(cause), cause });
  }
}

/** The library names the field or the type, then the value: only the first is repeated. */
function placeOf(error: unknown): string {
  const text = error instanceof Error ? error.message : '';
  const place = /^cannot decode (?:field|message|enum|oneof) ([\w.]+) /.exec(text)?.[1];
  return place === undefined
    ? 'a field of the body'
    : place.slice(place.lastIndexOf('v1.') + 1).replace(/^1\./, '');
}

/** The JSON of a reply, with the payloads in their short form where that is asked for. */
export function replyText(type: DescMessage, message: Uint8Array, form: AnswerForm): string {
  const json = toJson(type, fromBinary(type, message), { registry: engineApiRegistry() });
  return printJson(type, json, form);
}

export function printJson(type: DescMessage, json: unknown, form: AnswerForm): string {
  const shown = form.shorthand ? shortenPayloads(type, json) : json;
  return JSON.stringify(shown, null, form.pretty ? 2 : 0);
}
