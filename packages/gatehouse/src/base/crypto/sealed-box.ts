import { aadOf } from './aead.ts';
import { GCM_NONCE_BYTES, GCM_TAG_BYTES } from './aes-gcm.ts';
import { SALT_BYTES } from './nonce-source.ts';

/**
 * First byte of every box. There is no second version: a box of another one does not open, and a version that
 * comes will be bound into its own AAD, so none can be passed off as the other (T-079b).
 */
const BOX_VERSION = 1;
const KEY_ID_BYTES = 8;

/** version 1 | key id 8 | salt 16: what names the data key. */
export const HEADER_BYTES = 1 + KEY_ID_BYTES + SALT_BYTES;
export const NONCE_END = HEADER_BYTES + GCM_NONCE_BYTES;
/** A box is this much longer than its plaintext. */
export const BOX_OVERHEAD_BYTES = NONCE_END + GCM_TAG_BYTES;
export const KEY_ID_PATTERN = /^[0-9a-f]{16}$/;

/** Can this be a box at all: whole header, nonce and tag, and our version? */
export function isBox(box: Uint8Array): boolean {
  return box.length >= BOX_OVERHEAD_BYTES && box[0] === BOX_VERSION;
}

export function headerOf(keyId: string, salt: Uint8Array): Buffer {
  return Buffer.concat([Buffer.of(BOX_VERSION), Buffer.from(keyId, 'hex'), salt]);
}

/** Hex, as keys are named in the directory. */
export function keyIdIn(header: Uint8Array): string {
  return viewOf(header).toString('hex', 1, 1 + KEY_ID_BYTES);
}

/** The salt of the data key. */
export function saltIn(header: Uint8Array): Uint8Array {
  return header.subarray(1 + KEY_ID_BYTES, HEADER_BYTES);
}

/** Key id and salt, as a key of a Map: one character per byte. */
export function dataKeyNameIn(box: Uint8Array): string {
  return viewOf(box).toString('latin1', 1, HEADER_BYTES);
}

/**
 * The AAD of boxes of one scope (region, account, namespace uuid) and kind: the words (each with its length), then the box's own header, which
 * is written over for each box. So version, region, account, namespace, kind, key id and salt are bound.
 *
 * NOT bound: workflow, run, field and position. The engine itself copies payloads inside a namespace (retry,
 * reset, continue-as-new, child, schedule), so a box must open wherever in its namespace it turns up.
 */
export function createBoxAad(scope: readonly string[], kind: string): (header: Uint8Array) => Buffer {
  const words = aadOf('gatehouse box', ...scope, kind);
  const aad = Buffer.concat([words, Buffer.alloc(HEADER_BYTES)]);
  return (header) => {
    aad.set(header, words.length);
    return aad;
  };
}

function viewOf(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
