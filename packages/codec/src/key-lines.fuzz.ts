import { CodecError } from './codec-error.ts';
import { decodeKey, parseKeyLines } from './key-lines.ts';

/** Lines are read or refused by their number, and no message holds what may be a key. */
export function fuzz(bytes: Buffer): void {
  const text = bytes.toString('utf8');
  try {
    const lines = parseKeyLines(text);
    for (const line of lines) decodeKey(line);
    const written = lines.map(
      ({ id, word, decryptOnly }) => `${id} ${word}${decryptOnly ? ' decrypt-only' : ''}`,
    );
    if (JSON.stringify(parseKeyLines(written.join(';'))) !== JSON.stringify(lines))
      throw new Error('the same keys, written anew, read as others');
  } catch (error) {
    if (!(error instanceof CodecError)) throw error;
    const isPrivate = text.split(/[\s;]+/).some((word) => word.length > 20 && error.message.includes(word));
    if (isPrivate && !/^the key "/.test(error.message)) throw new Error('a message repeats a word');
  }
}

export const bytesMax = 1024;

export function seeds(): string[] {
  return ['k1 AAAA\nk2 BBBB decrypt-only # comment', 'a b;c d decrypt-only', 'a b c', 'a ***', '\r\n \t# x'];
}
