import { ByteSource } from '#testing/fuzz/byte-source';
import { openUnderLocalKey, sealUnderLocalKey } from './local-key-box.ts';

/** Nothing opens but what was sealed, whole and under its words; a version that is none never gets into a URL. */
export async function fuzz(bytes: Buffer): Promise<void> {
  const source = new ByteSource(bytes);
  const words = source.piece().toString('utf8');
  const others = source.flag() ? words : source.piece().toString('utf8');
  const [at, change] = [source.number(), source.byte()];
  const plaintext = source.piece();
  const rest = source.rest();
  await open(others, rest);
  const sealed = await sealUnderLocalKey(words, plaintext, async (key) => ({
    version: 'v1',
    wrapped: Buffer.from(key),
  }));
  const tampered = Buffer.concat([sealed, rest]);
  tampered[at % tampered.length] = (tampered[at % tampered.length] ?? 0) ^ change;
  const isSame = tampered.equals(sealed) && words === others;
  const opened = await open(others, tampered);
  if (isSame !== (opened !== undefined))
    throw new Error(isSame ? 'it does not open' : 'a tampered one opens');
  if (opened !== undefined && !opened.equals(plaintext)) throw new Error('another plaintext comes back');
}

function open(words: string, sealed: Buffer): Promise<Buffer | undefined> {
  return openUnderLocalKey(words, sealed, async ({ version, wrapped }) => {
    if (!/^[0-9A-Za-z]{1,64}$/.test(version)) throw new Error(`version ${JSON.stringify(version)}`);
    return Buffer.from(wrapped);
  });
}

export function* seeds(): Generator<Uint8Array> {
  yield Buffer.from('\x01a\x01\0\0\0\x03abc');
  yield Buffer.from('\0\x01\0\0\0\0\x02v1\0\x02kkbox');
}
