import { ByteSource } from '#testing/fuzz/byte-source';
import { fixedTokenKeys } from '#testing/fuzz/fixed-keys';
import { changeByte } from '#testing/fuzz/tampering';
import { openCallbackToken, sealCallbackToken } from './callback-token.ts';

/** Nothing opens but what was sealed for the namespace, letter by letter (T-045). */
export function fuzz(bytes: Buffer): void {
  const source = new ByteSource(bytes);
  const owner = source.piece().toString('latin1');
  const other = source.flag() ? owner : source.piece().toString('latin1');
  const at = source.number();
  const change = source.byte();
  const token = source.piece().toString('utf8');
  const rest = source.rest().toString('latin1');
  if (openCallbackToken(fixedTokenKeys, owner, rest) !== undefined)
    throw new Error('what was never sealed opens');
  const sealed = sealCallbackToken(fixedTokenKeys, owner, token);
  const text = changeByte(Buffer.from(sealed, 'latin1'), at, change).toString('latin1') + rest;
  const opened = openCallbackToken(fixedTokenKeys, other, text);
  const isSame = text === sealed && owner === other;
  if (isSame && opened !== token) throw new Error(`${JSON.stringify(opened)} comes back`);
  if (!isSame && opened !== undefined) throw new Error('a tampered one opens');
}

export function* seeds(): Generator<Uint8Array> {
  yield Buffer.concat([Buffer.from([1, 0x61, 1, 0, 0, 0, 3]), Buffer.from('abc')]);
  yield Buffer.concat([Buffer.from([1, 0x61, 0, 1, 0x62, 0, 0, 0, 3]), Buffer.from('abc')]);
  yield Buffer.from('\0\x01\0\0\0\0gatehouse-1.1.AAAA');
}
