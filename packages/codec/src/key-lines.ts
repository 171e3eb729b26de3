import { CodecError, quote } from './codec-error.ts';

/** One line of a key file. */
export interface KeyLine {
  readonly id: string;
  /** The second word: the key, or the key as a KMS wrapped it. */
  readonly word: string;
  readonly decryptOnly: boolean;
}

const DECRYPT_ONLY = 'decrypt-only';

/**
 * Reads lines of `<id> <key> [decrypt-only]`, oldest first. `;` is as good as a line break, since some environments
 * take none; from `#` on a line is a comment.
 * @throws CodecError `bad_keys`, with the number of the line and never its text.
 */
export function parseKeyLines(text: string): readonly KeyLine[] {
  const lines: KeyLine[] = [];
  for (const [index, line] of text.split(/\r?\n|;/).entries()) {
    const words = line
      .replace(/#.*$/s, '')
      .split(/\s+/)
      .filter((word) => word !== '');
    if (words.length === 0) continue;
    const [id, word, flag, ...more] = words;
    if (id === undefined || word === undefined || more.length > 0) throw badLine(index);
    if (flag !== undefined && flag !== DECRYPT_ONLY) throw badLine(index);
    lines.push({ id, word, decryptOnly: flag === DECRYPT_ONLY });
  }
  return lines;
}

function badLine(index: number): CodecError {
  return new CodecError('bad_keys', `line ${index + 1} of the keys is not "<id> <key> [${DECRYPT_ONLY}]"`);
}

/**
 * The bytes of a key in base64, of either alphabet.
 * @throws CodecError `bad_keys`, naming the id alone.
 */
export function decodeKey({ id, word }: KeyLine): Uint8Array {
  if (!/^[A-Za-z0-9+/_-]+={0,2}$/.test(word))
    throw new CodecError('bad_keys', `the key ${quote(id)} is not written in base64`);
  return Buffer.from(word, 'base64');
}
