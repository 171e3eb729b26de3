import { decodePayload, encodePayload } from './payload-proto.ts';

/** Bytes are a Payload or are refused; what was read, written and read again is the same. */
export function fuzz(bytes: Buffer): void {
  let payload: ReturnType<typeof decodePayload>;
  try {
    payload = decodePayload(bytes);
  } catch (error) {
    if (error instanceof RangeError || error instanceof TypeError) return;
    throw error;
  }
  const written = encodePayload(payload);
  const again = Buffer.from(encodePayload(decodePayload(written)));
  if (!again.equals(written)) throw new Error('another payload');
}

export const protobufFrom = 0;

export function seeds(): string[] {
  return [
    '\x0a\x16\x0a\x08encoding\x12\x0ajson/plain\x12\x03"x"',
    '\x1a\x02\x08\x05\x1a\x00\x0a\x0f\x0a\x09__proto__\x12\x02ab',
    '\x20\x05\x2d1234\x3112345678\x12\x01a\x12\x01b',
  ];
}
