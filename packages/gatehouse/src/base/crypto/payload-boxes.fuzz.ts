import { ByteSource } from '#testing/fuzz/byte-source';
import { fixedKeyring } from '#testing/fuzz/fixed-keys';
import { checkOpened, tamperingOf } from '#testing/fuzz/tampering';
import { keyIdOfBox, type SealedKind } from './namespace-keyring.ts';

const own = fixedKeyring('a');
const other = fixedKeyring('b');
const kinds: readonly SealedKind[] = ['payload', 'failure', 'text'];

/** Nothing opens but what was sealed, whole, as its kind and by its own keys (T-077, T-079). */
export function fuzz(bytes: Buffer): void {
  const source = new ByteSource(bytes);
  const kind = kinds[source.byte() % kinds.length] ?? 'payload';
  const asked = kinds[source.byte() % kinds.length] ?? 'payload';
  const keyring = source.flag() ? own : other;
  const { plaintext, rest, tamper } = tamperingOf(source);
  keyIdOfBox(rest);
  const sealed = Buffer.alloc(own.sealedLength(plaintext.length));
  if (own.sealInto(kind, plaintext, sealed, 0) !== sealed.length) throw new Error('a box of another length');
  const tampered = tamper(sealed);
  const isSame = tampered.equals(sealed) && kind === asked && keyring === own;
  checkOpened(keyring.open(asked, tampered), isSame, plaintext);
  if (isSame && keyIdOfBox(sealed) !== 'a'.repeat(16)) throw new Error('it names another key');
  // Kept from an earlier run it may open; nothing else of a stranger's does.
  own.open(kind, rest);
}

export function* seeds(): Generator<Uint8Array> {
  yield Buffer.from('\0\0\x01\0\0\0\x03abc', 'latin1');
  yield Buffer.from('\x01\0\x01\0\x20\x01\x03abc', 'latin1');
  const box = Buffer.alloc(own.sealedLength(1));
  own.sealInto('payload', Buffer.from('x'), box, 0);
  yield Buffer.concat([Buffer.alloc(7), box]);
}
