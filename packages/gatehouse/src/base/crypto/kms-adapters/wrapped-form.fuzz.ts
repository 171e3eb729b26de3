import { ByteSource } from '#testing/fuzz/byte-source';
import { checkOpened, tamperingOf } from '#testing/fuzz/tampering';
import { createMark, frameOf, joinWrapped, openFrame, splitWrapped } from './wrapped-form.ts';

/** What a KMS gives back is taken apart in one way only, and a frame opens for its own mark and words alone (T-081b). */
export function fuzz(bytes: Buffer): void {
  const split = splitWrapped(bytes);
  if (split !== undefined && !joinWrapped(split).equals(bytes)) throw new Error('two readings of one form');
  const source = new ByteSource(bytes);
  const words = source.piece().toString('utf8');
  const others = source.flag() ? words : source.piece().toString('utf8');
  const { plaintext, rest, tamper } = tamperingOf(source);
  const mark = createMark();
  if (openFrame(mark, words, rest) !== undefined) throw new Error('a frame that nobody made opens');
  const frame = frameOf(mark, words, plaintext);
  const tampered = tamper(frame);
  const isSame = tampered.equals(frame) && words === others;
  checkOpened(openFrame(mark, others, tampered), isSame, plaintext);
}

export function* seeds(): Generator<Uint8Array> {
  yield joinWrapped({ mark: Buffer.alloc(16, 'm'), ciphertext: Buffer.from('ciphertext') });
  yield Buffer.from('\x01a\x01\0\0\0\x03abc');
}
