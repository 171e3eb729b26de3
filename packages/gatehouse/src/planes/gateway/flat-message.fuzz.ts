import { BinaryReader } from '@bufbuild/protobuf/wire';
import { ByteSource } from '#testing/fuzz/byte-source';
import { readFlag, readText } from './flat-message.ts';

const FIELD_MAX = 15;

/** They end whatever the bytes, and of a well-formed message they read what a decoder does. */
export function fuzz(bytes: Buffer): void {
  const source = new ByteSource(bytes);
  const field = 1 + (source.byte() % FIELD_MAX);
  const message = source.rest();
  const text = readText(message, field);
  const flag = readFlag(message, field);
  const known = decode(message, field);
  if (known === undefined) return;
  const [first = ''] = known.texts;
  if (text !== first) throw new Error(`reads ${JSON.stringify(text)} and not ${JSON.stringify(first)}`);
  if (flag !== known.flag) throw new Error(`the flag is ${flag}`);
}

function decode(message: Uint8Array, field: number): { texts: string[]; flag: boolean } | undefined {
  const reader = new BinaryReader(message);
  const texts: string[] = [];
  let flag = false;
  try {
    while (reader.pos < reader.len) {
      const [number, type] = reader.tag();
      if (type === 3 || type === 4) return undefined;
      if (number === field && type === 0) flag = reader.bool();
      else if (type === 2) {
        // The reader would cut a longer length down to 32 bits; the engine's refuses it.
        const length = Number(reader.uint64());
        const content = message.subarray(reader.pos, reader.pos + length);
        if (content.length < length) return undefined;
        if (number === field) texts.push(Buffer.from(content).toString('utf8'));
        reader.pos += length;
      } else reader.skip(type, number);
      if (reader.pos > reader.len) return undefined;
    }
  } catch {
    return undefined;
  }
  return { texts, flag };
}

export const protobufFrom = 1;

export function seeds(): string[] {
  return ['\0\x0a\x01w\x12\x01r', '\x02\x18\x01\x0a\x00\x18\x00', '\x01\x0d1234\x12\x01r\x0912345678'];
}
