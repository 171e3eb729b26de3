import type { ExternalPayloadDetails, Payload } from '../payload.ts';
import { CodecRequestError } from './codec-request-error.ts';

/**
 * Reads `temporal.api.common.v1.Payloads` in the JSON form of proto3 (protobuf.dev/programming-guides/json): bytes are
 * base64 of either alphabet, null is nothing, fields may be named in either way, and unknown ones are refused.
 * @throws CodecRequestError 400
 */
export function parsePayloads(body: Uint8Array): Payload[] {
  const message = parseJson(body);
  const { payloads } = fieldsOf(message, 'the body', ['payloads']);
  return listOf(payloads, 'payloads').map((it, index) => parsePayload(it, `payloads[${index}]`));
}

/** The same form. What is empty is left out, as proto3 does. */
export function formatPayloads(payloads: readonly Payload[]): string {
  return JSON.stringify({ payloads: payloads.map(formatPayload) });
}

function parsePayload(value: unknown, place: string): Payload {
  const fields = fieldsOf(value, place, ['metadata', 'data', 'externalPayloads', 'external_payloads']);
  const metadata = Object.entries(recordOf(fields['metadata'], `${place}.metadata`)).map(
    ([key, each]): [string, Uint8Array] => [key, bytesOf(each, `${place}.metadata`)],
  );
  const external = listOf(
    fields['externalPayloads'] ?? fields['external_payloads'],
    `${place}.externalPayloads`,
  );
  return {
    metadata: Object.fromEntries(metadata),
    data: fields['data'] == null ? new Uint8Array() : bytesOf(fields['data'], `${place}.data`),
    ...(external.length === 0 ? {} : { externalPayloads: external.map((it) => parseDetails(it, place)) }),
  };
}

function parseDetails(value: unknown, place: string): ExternalPayloadDetails {
  const { sizeBytes, size_bytes } = fieldsOf(value, `${place}.externalPayloads`, ['sizeBytes', 'size_bytes']);
  const given = sizeBytes ?? size_bytes ?? 0;
  const isNumber = typeof given === 'number' || (typeof given === 'string' && /^-?\d+$/.test(given));
  const size = isNumber ? Number(given) : Number.NaN;
  if (!Number.isSafeInteger(size)) throw badField(`${place}.externalPayloads`, 'sizes are whole numbers');
  return { sizeBytes: size };
}

function formatPayload({ metadata, data, externalPayloads }: Payload): Record<string, unknown> {
  const entries = Object.entries(metadata ?? {}).map(([key, value]) => [key, base64(value)]);
  return {
    ...(entries.length === 0 ? {} : { metadata: Object.fromEntries(entries) }),
    ...(data == null || data.length === 0 ? {} : { data: base64(data) }),
    // 64-bit numbers are texts in proto3's JSON.
    ...(externalPayloads?.length
      ? { externalPayloads: externalPayloads.map((it) => ({ sizeBytes: String(it.sizeBytes ?? 0) })) }
      : {}),
  };
}

const base64 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');

function parseJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch {
    // The parser's message quotes the text, which may be somebody's data.
    throw new CodecRequestError(400, 'the body is not JSON');
  }
}

function fieldsOf(value: unknown, place: string, known: readonly string[]): Record<string, unknown> {
  const fields = recordOf(value, place);
  const unknown = Object.keys(fields).some((key) => !known.includes(key));
  if (unknown) throw badField(place, `the fields are ${known.join(', ')}`);
  return fields;
}

function recordOf(value: unknown, place: string): Record<string, unknown> {
  if (value == null) return {};
  if (typeof value !== 'object' || Array.isArray(value)) throw badField(place, 'an object is expected');
  return { ...value };
}

function listOf(value: unknown, place: string): readonly unknown[] {
  if (value == null) return [];
  if (!Array.isArray(value)) throw badField(place, 'a list is expected');
  return value;
}

function bytesOf(value: unknown, place: string): Uint8Array {
  if (typeof value !== 'string' || !/^[A-Za-z0-9+/_-]*={0,2}$/.test(value))
    throw badField(place, 'base64 is expected');
  const bytes = Buffer.from(value, 'base64');
  // One letter alone is no byte: something was cut off.
  if (value.replace(/=+$/, '').length % 4 === 1) throw badField(place, 'base64 is expected');
  return bytes;
}

function badField(place: string, expected: string): CodecRequestError {
  return new CodecRequestError(400, `${place}: ${expected}`);
}
