import type { NamespaceKeyring } from '#base/crypto/namespace-keyring';
import { type LateValue, varintBytes, writeVarint } from '#base/proto/splice-message';
import { readPayload } from './payload-bytes.ts';

/** What stands in the `encoding` of a payload that the platform sealed. */
export const SEALED_ENCODING = 'binary/gatehouse';

/** `metadata { "encoding": "binary/gatehouse" }`, the beginning of every sealed payload. */
const HEAD: Buffer = Buffer.concat([
  Buffer.from([0x0a, 28, 0x0a, 8]),
  Buffer.from('encoding'),
  Buffer.from([0x12, SEALED_ENCODING.length]),
  Buffer.from(SEALED_ENCODING),
]);
const MARKER = Buffer.from(SEALED_ENCODING);
const DATA_TAG = 0x12;
const EXTERNAL_TAG = 0x1a;
const NONE: readonly Uint8Array[] = [];

/**
 * The Payload message that the engine gets in place of this one: a box that holds the whole of it. The list of
 * external payloads is repeated outside, since the engine counts it (data-plane.md 3.3).
 */
export function sealPayload(
  keyring: NamespaceKeyring,
  kind: 'payload' | 'failure',
  payload: Uint8Array,
): LateValue {
  const external = kind === 'payload' ? externalOf(payload) : [];
  const boxLength = keyring.sealedLength(payload.length);
  let length = HEAD.length + 1 + varintBytes(boxLength) + boxLength;
  for (const field of external) length += field.length;
  return {
    length,
    pieces() {
      const head = Buffer.allocUnsafe(HEAD.length + 1 + varintBytes(boxLength));
      writeHead(head, 0, boxLength);
      return [head, ...keyring.sealPieces(kind, payload), ...external.map(bufferOf)];
    },
    write(target, position) {
      let pos = keyring.sealInto(kind, payload, target, writeHead(target, position, boxLength));
      for (const field of external) {
        target.set(field, pos);
        pos += field.length;
      }
      return pos;
    },
  };
}

/** What stands before the box. @returns the position after it. */
function writeHead(target: Buffer, position: number, boxLength: number): number {
  target.set(HEAD, position);
  target[position + HEAD.length] = DATA_TAG;
  return writeVarint(target, position + HEAD.length + 1, boxLength);
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** The fields `external_payloads` of a payload, with their tags. Its form was checked by the scanner. */
function externalOf(payload: Uint8Array): readonly Uint8Array[] {
  let found = NONE;
  for (let pos = 0; pos < payload.length; ) {
    const start = pos;
    const tag = payload[pos++];
    let length = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = payload[pos++] ?? 0;
      length += (byte & 0x7f) * scale;
      if (byte < 0x80) break;
    }
    pos += length;
    if (tag === EXTERNAL_TAG) found = [...found, payload.subarray(start, pos)];
  }
  return found;
}

/**
 * The box of a payload that the platform sealed; undefined where it did not. Also where somebody wrote the
 * marker in another order: what is opened is decided by what a decoder would see.
 */
export function boxOf(payload: Uint8Array): Uint8Array | undefined {
  if (payload.length < HEAD.length) return undefined;
  const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.length);
  if (!bytes.includes(MARKER)) return undefined;
  const parsed = readPayload(payload);
  return parsed?.encoding === SEALED_ENCODING ? parsed.data : undefined;
}
