import type { JsonObject, JsonValue } from '@bufbuild/protobuf';

/** A payload as protobuf's JSON has it: bytes are base64. */
export interface JsonPayload {
  readonly encoding: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly data: Buffer;
}

export function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The payload that this object is, or undefined: no other message of the API has a `metadata.encoding`. */
export function payloadOf(value: JsonValue): JsonPayload | undefined {
  if (!isObject(value) || !isObject(value['metadata'])) return undefined;
  const { encoding } = value['metadata'];
  if (typeof encoding !== 'string') return undefined;
  const metadata = Object.fromEntries(
    Object.entries(value['metadata']).map(([key, text]) => [key, textOf(text)]),
  );
  return {
    encoding: metadata['encoding'] ?? '',
    metadata,
    data: Buffer.from(typeof value['data'] === 'string' ? value['data'] : '', 'base64'),
  };
}

function textOf(base64: JsonValue): string {
  return Buffer.from(String(base64), 'base64').toString();
}

/** Calls back for every value, outermost first, with the names that lead to it; false keeps it out of what is inside. */
export function walk(
  value: JsonValue,
  visit: (value: JsonValue, path: readonly string[]) => boolean,
  path: readonly string[] = [],
): void {
  if (!visit(value, path)) return;
  if (Array.isArray(value)) for (const [at, item] of value.entries()) walk(item, visit, [...path, `${at}`]);
  else if (isObject(value))
    for (const [key, item] of Object.entries(value)) walk(item, visit, [...path, key]);
}
