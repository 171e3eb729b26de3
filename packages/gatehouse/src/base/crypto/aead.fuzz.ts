import { createSecretKey } from 'node:crypto';
import { ByteSource } from '#testing/fuzz/byte-source';
import { checkOpened, tamperingOf } from '#testing/fuzz/tampering';
import { aadOf, openBox, sealBox } from './aead.ts';

const key = createSecretKey(Buffer.alloc(32, 'key'));
const LENGTH_BYTES = 4;

/** Nothing opens but what was sealed, whole and with its words; no two lists of words are the same bytes. */
export function fuzz(bytes: Buffer): void {
  const source = new ByteSource(bytes);
  const words = [source.piece(), source.piece()].map((word) => word.toString('utf8'));
  const others = [source.piece(), source.piece()].map((word) => word.toString('utf8'));
  const { plaintext, rest, tamper } = tamperingOf(source);
  const aad = aadOf(...words);
  if (readWords(aad).join('\0') !== words.join('\0')) throw new Error('words that do not read again');
  openBox(key, aad, rest);
  const sealed = sealBox(key, aad, plaintext);
  const tampered = tamper(sealed);
  const isSame = JSON.stringify(words) === JSON.stringify(others) && tampered.equals(sealed);
  checkOpened(openBox(key, aadOf(...others), tampered), isSame, plaintext);
}

function readWords(bytes: Buffer): string[] {
  const words: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + LENGTH_BYTES + bytes.readUInt32BE(at);
    words.push(bytes.toString('utf8', at + LENGTH_BYTES, end));
    at = end;
  }
  return words;
}

export function* seeds(): Generator<Uint8Array> {
  yield Buffer.from('\x01a\x01b\x01a\x01b\0\0\0\x03abc');
  yield Buffer.from('\x02ab\0\x01a\x01b\0\0\0\x03abc');
}
