import { ByteSource } from '#testing/fuzz/byte-source';
import { fixedTokenKeys } from '#testing/fuzz/fixed-keys';
import { checkOpened, tamperingOf } from '#testing/fuzz/tampering';
import { unlessRefused } from '#testing/fuzz/unless-refused';
import { bindToken, type TokenKind, type TokenScope, unbindToken } from './token-binding.ts';

const kinds: readonly TokenKind[] = [
  'workflow-task',
  'activity-task',
  'nexus-task',
  'page',
  'long-poll',
  'reserved-page',
];

/** Nothing opens but what was bound, whole, in its scope (T-043, T-044). */
export function fuzz(bytes: Buffer): void {
  const source = new ByteSource(bytes);
  const scope = scopeOf(source);
  const other = source.flag() ? scope : scopeOf(source);
  const { plaintext: token, rest, tamper } = tamperingOf(source);
  // Nobody has the key but us: nothing of a stranger's opens.
  if (unbind(scope, rest) !== undefined) throw new Error('a token that was never bound opens');
  const bound = bindToken(fixedTokenKeys, scope, token);
  const tampered = tamper(bound);
  const isSame = tampered.equals(bound) && JSON.stringify(scope) === JSON.stringify(other);
  checkOpened(unbind(other, tampered), isSame, token);
}

function scopeOf(source: ByteSource): TokenScope {
  const kind = kinds[source.byte() % kinds.length] ?? 'page';
  return {
    kind,
    namespaceUuid: source.piece().toString('latin1'),
    question: source.piece().toString('latin1'),
  };
}

function unbind(scope: TokenScope, bound: Uint8Array): Uint8Array | undefined {
  return unlessRefused(() => unbindToken(fixedTokenKeys, scope, bound), 'token_foreign');
}

export function* seeds(): Generator<Uint8Array> {
  const scope = Buffer.from([3, 1, 0x61, 2, 0x62, 0x0a]);
  yield Buffer.concat([scope, Buffer.of(1, 0, 0, 0, 3), Buffer.from('abc')]);
  // A line break that moves from one part of the scope to the next.
  yield Buffer.concat([scope, Buffer.of(0, 3, 2, 0x61, 0x0a, 1, 0x62, 0, 0, 0, 0)]);
  yield bindToken(fixedTokenKeys, { kind: 'page', namespaceUuid: '', question: '' }, Buffer.from('x'));
}
