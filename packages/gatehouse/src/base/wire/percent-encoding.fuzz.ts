import { decodeGrpcMessage, encodeGrpcMessage } from './percent-encoding.ts';

const ENCODED = /^(?:[ -$&-~]|%[0-9A-F]{2})*$/;

/** Every text comes back as it was, in printable ASCII meanwhile; decoding takes anything. */
export function fuzz(bytes: Buffer): void {
  decodeGrpcMessage(bytes.toString('latin1'));
  for (const text of [bytes.toString('utf8'), bytes.toString('utf16le')]) {
    const encoded = encodeGrpcMessage(text);
    if (!ENCODED.test(encoded)) throw new Error(`not printable: ${JSON.stringify(encoded)}`);
    if (decodeGrpcMessage(encoded) !== text.toWellFormed())
      throw new Error(`another text than ${JSON.stringify(text)}`);
  }
}

export function seeds(): string[] {
  return ['plain', '100%', '%41', '%ff', 'line\nbreak', 'é😀'];
}
