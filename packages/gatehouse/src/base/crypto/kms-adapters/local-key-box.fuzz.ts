import { ByteSource } from '#testing/fuzz/byte-source';
import { checkOpened, tamperingOf } from '#testing/fuzz/tampering';
import { openUnderLocalKey, sealUnderLocalKey } from './local-key-box.ts';

/** Nothing opens but what was sealed, whole and under its words; a version that is none never gets into a URL. */
export async function fuzz(bytes: Buffer): Promise<void> {
  const source = new ByteSource(bytes);
  const words = source.piece().toString('utf8');
  const others = source.flag() ? words : source.piece().toString('utf8');
  const { plaintext, rest, tamper } = tamperingOf(source);
  await open(others, rest);
  const sealed = await sealUnderLocalKey(words, plaintext, async (key) => ({
    version: 'v1',
    wrapped: Buffer.from(key),
  }));
  const tampered = tamper(sealed);
  const isSame = tampered.equals(sealed) && words === others;
  checkOpened(await open(others, tampered), isSame, plaintext);
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
