import type { TokenKeyring } from '#base/crypto/token-keyring';
import { refuse } from '#base/model/refusals';

/**
 * What a token is for. A token of one kind is refused where another is due, although all are bytes of the
 * same engine. A `reserved-page` is a page of the history of a workflow of the engine's own.
 */
export type TokenKind =
  | 'workflow-task'
  | 'activity-task'
  | 'nexus-task'
  | 'page'
  | 'reserved-page'
  | 'long-poll';

/** What a token is bound to besides its kind: it opens nowhere else. */
export interface TokenScope {
  /** The namespace's incarnation: a namespace made again under its old name has another one. */
  readonly namespaceUuid: string;
  readonly kind: TokenKind;
  /** For page tokens: the method and what was asked. Empty for tasks, which other clients may complete. */
  readonly question: string;
}

// Format: magic, version, key id (2), tag (16), then the engine's own bytes.
const MAGIC = 0xa7;
const VERSION = 1;
/** In the version's place, so that one look tells which kind of page to check for. */
const RESERVED_PAGE = 2;
const TAG_START = 4;
const TAG_BYTES = 16;
const HEAD_BYTES: number = TAG_START + TAG_BYTES;

function scopeBytes(scope: TokenScope): Buffer {
  return Buffer.from(`${scope.kind}\n${scope.namespaceUuid}\n${scope.question}`, 'utf8');
}

/** Binds a token of the engine: what leaves the gateway says by itself where it belongs. */
export function bindToken(keyring: TokenKeyring, scope: TokenScope, token: Uint8Array): Buffer {
  const key = keyring.current.id;
  const bound = Buffer.allocUnsafe(HEAD_BYTES + token.length);
  bound[0] = MAGIC;
  bound[1] = versionOf(scope.kind);
  bound.writeUInt16BE(key, 2);
  bound.set(keyring.mac(key, [scopeBytes(scope), token]), TAG_START);
  bound.set(token, HEAD_BYTES);
  return bound;
}

/**
 * Checks a token that comes back and gives the engine's own bytes.
 * @throws Refusal `token_foreign` for anything that `bindToken` did not make for this scope (T-043, T-044):
 *   the text is the engine's own for a token of another namespace.
 */
export function unbindToken(keyring: TokenKeyring, scope: TokenScope, bound: Uint8Array): Uint8Array {
  if (bound.length < HEAD_BYTES || bound[0] !== MAGIC || bound[1] !== versionOf(scope.kind)) {
    throw refuse('token_foreign', { detail: 'not a token of this gateway' });
  }
  const key = ((bound[2] ?? 0) << 8) | (bound[3] ?? 0);
  const token = bound.subarray(HEAD_BYTES);
  const tag = bound.subarray(TAG_START, HEAD_BYTES);
  if (!keyring.verify(key, [scopeBytes(scope), token], tag)) {
    throw refuse('token_foreign', { detail: `a ${scope.kind} token that is not of this scope, or too old` });
  }
  return token;
}

/** Which kind of page a token claims to be of: `unbindToken` with this kind says whether it is. */
export function pageKind(bound: Uint8Array): 'page' | 'reserved-page' {
  return bound[1] === RESERVED_PAGE ? 'reserved-page' : 'page';
}

function versionOf(kind: TokenKind): number {
  return kind === 'reserved-page' ? RESERVED_PAGE : VERSION;
}
