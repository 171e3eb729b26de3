import type { ExternalPayloadDetails, Payload } from './payload.ts';
import { ProtoReader, ProtoWriter } from './proto-wire.ts';

/** `Payload{ metadata = 1, data = 2, external_payloads = 3 }`, api/common/v1/message.proto. */
const METADATA = 1;
const DATA = 2;
const EXTERNAL_PAYLOADS = 3;
const ENTRY_KEY = 1;
const ENTRY_VALUE = 2;
const SIZE_BYTES = 1;

/** The bytes of a Payload message, as every SDK writes them. */
export function encodePayload(payload: Payload): Uint8Array {
  const message = new ProtoWriter();
  for (const [key, value] of Object.entries(payload.metadata ?? {})) {
    const entry = new ProtoWriter().bytes(ENTRY_KEY, Buffer.from(key, 'utf8')).bytes(ENTRY_VALUE, value);
    message.bytes(METADATA, entry.finish());
  }
  const { data } = payload;
  if (data != null && data.length > 0) message.bytes(DATA, data);
  for (const details of payload.externalPayloads ?? []) {
    const size = toBigInt(details.sizeBytes);
    const inner = size === 0n ? new ProtoWriter() : new ProtoWriter().varint(SIZE_BYTES, size);
    message.bytes(EXTERNAL_PAYLOADS, inner.finish());
  }
  return message.finish();
}

/** @throws RangeError or TypeError where the bytes are no Payload message. What is said twice holds as last said. */
export function decodePayload(bytes: Uint8Array): Payload {
  const metadata = new Map<string, Uint8Array>();
  const externalPayloads: ExternalPayloadDetails[] = [];
  let data: Uint8Array | undefined;
  for (const { field, value } of new ProtoReader(bytes).fields()) {
    if (field === METADATA) metadata.set(...decodeEntry(expectBytes(value)));
    else if (field === DATA) data = expectBytes(value);
    else if (field === EXTERNAL_PAYLOADS) externalPayloads.push(decodeDetails(expectBytes(value)));
  }
  return {
    // Own properties whatever the key is called, `__proto__` included.
    metadata: Object.fromEntries(metadata),
    data: data ?? new Uint8Array(),
    ...(externalPayloads.length === 0 ? {} : { externalPayloads }),
  };
}

function decodeEntry(bytes: Uint8Array): [string, Uint8Array] {
  let key = '';
  let entry: Uint8Array = new Uint8Array();
  for (const { field, value } of new ProtoReader(bytes).fields()) {
    if (field === ENTRY_KEY) key = utf8.decode(expectBytes(value));
    else if (field === ENTRY_VALUE) entry = expectBytes(value);
  }
  return [key, entry];
}

function decodeDetails(bytes: Uint8Array): ExternalPayloadDetails {
  let size = 0n;
  for (const { field, value } of new ProtoReader(bytes).fields()) {
    if (field !== SIZE_BYTES) continue;
    if (typeof value !== 'bigint') throw new RangeError('a size is a number');
    size = BigInt.asIntN(64, value);
  }
  // The SDK reads a number as well as a Long.
  return { sizeBytes: Number(size) };
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function expectBytes(value: Uint8Array | bigint | undefined): Uint8Array {
  if (value instanceof Uint8Array) return value;
  throw new RangeError('a field has another type than in a Payload');
}

/** Of a number, a bigint, a decimal text, or a `Long` of the SDK's. */
function toBigInt(value: unknown): bigint {
  if (value == null) return 0n;
  if (typeof value === 'bigint' || typeof value === 'number' || typeof value === 'string')
    return BigInt(value);
  if (typeof value === 'object' && 'low' in value && 'high' in value) {
    const { low, high } = value;
    if (typeof low === 'number' && typeof high === 'number') return (BigInt(high) << 32n) | BigInt(low >>> 0);
  }
  throw new RangeError('the size of an external payload is no whole number');
}
