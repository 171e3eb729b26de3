import { parseExactJson } from './exact-json.ts';

export const PAYLOAD = 'temporal.api.common.v1.Payload';
export const PAYLOADS = 'temporal.api.common.v1.Payloads';

/** A Payload in protobuf's own JSON: base64 throughout. */
export interface PayloadJson {
  readonly metadata?: Readonly<Record<string, string>>;
  readonly data?: string;
}

/** Names the message type of a `json/protobuf` payload inside its own object. */
const MESSAGE_TYPE_KEY = '_protoMessageType';
const BASE64 = /^[A-Za-z0-9+/_-]*={0,2}$/;

const base64 = (text: string): string => Buffer.from(text, 'utf8').toString('base64');
const NULL_ENCODING = base64('binary/null');
const JSON_ENCODING = base64('json/plain');
const PROTOBUF_ENCODING = base64('json/protobuf');
const nullPayload: PayloadJson = { metadata: { encoding: NULL_ENCODING } };

/**
 * A payload as a person would write it: the plain JSON value, in the engine's rules (api-go,
 * common/v1/payload_json.go). Undefined where it has no short form: a sealed or binary payload, one with
 * further metadata, or one whose data is not what its encoding says.
 */
export function shortenPayload(payload: PayloadJson): unknown {
  const metadata = payload.metadata ?? {};
  const names = Object.keys(metadata).length;
  const encoding = metadata['encoding'];
  if (encoding === NULL_ENCODING) return nullPayload;
  if (encoding === JSON_ENCODING && names === 1) {
    const value = parseData(payload);
    // The engine shows a JSON null as the null payload, too.
    return value === null ? nullPayload : value;
  }
  const type = metadata['messageType'];
  if (encoding !== PROTOBUF_ENCODING || names !== 2 || type === undefined || type === '') return undefined;
  const value = parseData(payload);
  if (!isObject(value)) return undefined;
  return { ...value, [MESSAGE_TYPE_KEY]: Buffer.from(type, 'base64').toString('utf8') };
}

/** The payload that a value stands for: the full form as it is, everything else as JSON data. */
export function lengthenPayload(value: unknown): PayloadJson {
  if (value === null) return nullPayload;
  if (!isObject(value)) return jsonPayload(JSON_ENCODING, value);
  const full = asFullPayload(value);
  if (full !== undefined) return full;
  const { [MESSAGE_TYPE_KEY]: type, ...rest } = value;
  if (type === undefined) return jsonPayload(JSON_ENCODING, value);
  if (typeof type !== 'string') throw new TypeError(`${MESSAGE_TYPE_KEY} is not a string`);
  return jsonPayload(PROTOBUF_ENCODING, rest, { messageType: base64(type) });
}

function jsonPayload(encoding: string, value: unknown, further: Record<string, string> = {}): PayloadJson {
  return { metadata: { encoding, ...further }, data: base64(JSON.stringify(value)) };
}

/** An object is a full payload if it is nothing else: an encoding, base64 throughout, no other key. */
function asFullPayload(value: Readonly<Record<string, unknown>>): PayloadJson | undefined {
  const { metadata, data } = value;
  if (!isObject(metadata) || !Object.hasOwn(metadata, 'encoding')) return undefined;
  const names = Object.keys(value).length;
  if (!Object.hasOwn(value, 'data') && metadata['encoding'] === NULL_ENCODING) return nullPayload;
  if (names !== 2 || !isBase64(data) || !Object.values(metadata).every(isBase64)) return undefined;
  return value as PayloadJson;
}

function isBase64(value: unknown): value is string {
  return typeof value === 'string' && BASE64.test(value) && value.replace(/=+$/, '').length % 4 !== 1;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function parseData(payload: PayloadJson): unknown {
  try {
    return parseExactJson(Buffer.from(payload.data ?? '', 'base64'));
  } catch {
    // Data that is not JSON whatever its encoding says: shown in the full form.
    return undefined;
  }
}
