/** One Payload message, looked at without decoding it: `metadata` = 1 (a map), `data` = 2, `external_payloads` = 3. */
export interface PayloadBytes {
  readonly bytes: Uint8Array;
  /** The `encoding` of its metadata, or undefined. */
  readonly encoding: string | undefined;
  /** Keys of its metadata. */
  readonly metadataKeys: readonly string[];
  /** Where the data field begins and ends, with its tag; both at the end of the message where there is none. */
  readonly fieldStart: number;
  readonly fieldEnd: number;
  readonly data: Uint8Array;
  /** `external_payloads` with their tags, as they lie. */
  readonly external: readonly Uint8Array[];
}

const METADATA_TAG = 0x0a;
const DATA_TAG = 0x12;
const EXTERNAL_TAG = 0x1a;
const ENCODING = 'encoding';

/** @returns undefined where the bytes are no Payload of the canonical form. */
export function readPayload(bytes: Uint8Array): PayloadBytes | undefined {
  const cursor = { bytes, pos: 0 };
  const metadataKeys: string[] = [];
  const external: Uint8Array[] = [];
  let encoding: string | undefined;
  let fieldStart = bytes.length;
  let fieldEnd = bytes.length;
  let data: Uint8Array = bytes.subarray(bytes.length);
  while (cursor.pos < bytes.length) {
    const start = cursor.pos;
    const tag = bytes[cursor.pos++];
    const content = readBytes(cursor);
    if (content === undefined) return undefined;
    if (tag === METADATA_TAG) {
      const entry = readEntry(content);
      if (entry === undefined) return undefined;
      metadataKeys.push(entry.key);
      // The last one counts, as it does for every decoder.
      if (entry.key === ENCODING) encoding = Buffer.from(entry.value).toString('latin1');
    } else if (tag === DATA_TAG) {
      data = content;
      fieldStart = start;
      fieldEnd = cursor.pos;
    } else if (tag === EXTERNAL_TAG) external.push(bytes.subarray(start, cursor.pos));
    else return undefined;
  }
  return { bytes, encoding, metadataKeys, fieldStart, fieldEnd, data, external };
}

interface Cursor {
  readonly bytes: Uint8Array;
  pos: number;
}

/** A length and as many bytes. */
function readBytes(cursor: Cursor): Uint8Array | undefined {
  let length = 0;
  for (let scale = 1; ; scale *= 128) {
    const byte = cursor.bytes[cursor.pos++];
    if (byte === undefined || scale > 2 ** 28) return undefined;
    length += (byte & 0x7f) * scale;
    if (byte < 0x80) break;
  }
  const end = cursor.pos + length;
  if (end > cursor.bytes.length) return undefined;
  const content = cursor.bytes.subarray(cursor.pos, end);
  cursor.pos = end;
  return content;
}

/** An entry of `map<string, bytes>`: `key` = 1, `value` = 2, either may be missing. */
function readEntry(bytes: Uint8Array): { readonly key: string; readonly value: Uint8Array } | undefined {
  const cursor = { bytes, pos: 0 };
  let key = '';
  let value: Uint8Array = bytes.subarray(0, 0);
  while (cursor.pos < bytes.length) {
    const tag = bytes[cursor.pos++];
    const content = readBytes(cursor);
    if (content === undefined) return undefined;
    if (tag === 0x0a) key = Buffer.from(content).toString('utf8');
    else if (tag === 0x12) value = content;
    else return undefined;
  }
  return { key, value };
}

/**
 * Does the engine take this value of a memo or of a search attribute for "delete the entry"? It looks at the
 * data alone: empty, or exactly `[]` (data-plane.md 3.3).
 */
export function isDeletion({ data }: PayloadBytes): boolean {
  return data.length === 0 || (data.length === 2 && data[0] === 0x5b && data[1] === 0x5d);
}

/** The payload with other data, all else as it was. */
export function withData(payload: PayloadBytes, data: Uint8Array): Buffer {
  const { bytes, fieldStart, fieldEnd } = payload;
  return Buffer.concat([bytes.subarray(0, fieldStart), dataField(data), bytes.subarray(fieldEnd)]);
}

function dataField(data: Uint8Array): Buffer {
  const head: number[] = [DATA_TAG];
  let rest = data.length;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) head.push((rest % 0x80) | 0x80);
  head.push(rest);
  return Buffer.concat([Buffer.from(head), data]);
}
