import type { Clock } from '#base/runtime/clock';
import { ENGINE_AUDIENCE } from './engine-config.ts';
import { EngineError } from './engine-error.ts';
import { signJwt, type TokenSigner } from './engine-signing-keys.ts';

/** Roles of the engine's default authorizer that Gatehouse asks for. Its `worker` role passes nothing. */
export type EngineRole = 'read' | 'write' | 'admin' | 'system-admin';

/** Gives the token with which a call goes to the engine (threats.md T-057). */
export interface EngineTokens {
  /**
   * A ready `Bearer ...` value for one namespace and one role, with at least 5 s of life left.
   * `system-admin` is for the control calls alone and takes the empty namespace id.
   * @throws EngineError for a namespace id that the engine would read as something else.
   */
  mintToken(namespaceId: string, role: EngineRole): string;
}

/** From `iat` to `exp`. */
export const TOKEN_LIFE_MS = 60_000;
/** The engine refuses an `iat` one second in its future, without leeway. */
const BACKDATED_MS = 5_000;
/** A token is given out for this long, which leaves 15 s of its life: more than the 5 s that a call may need. */
const REUSED_MS = 40_000;
/** A wall clock may be set back by this much before a token given out counts as one of the future. */
const SET_BACK_MS = BACKDATED_MS - 2_000;

interface Minted {
  readonly value: string;
  readonly mintedAtMs: number;
}

/** @param clock its wall time must be the engine's: both are on one machine, or kept by NTP. */
export function createEngineTokens(keys: { current(): TokenSigner }, clock: Clock): EngineTokens {
  const cache: Record<EngineRole, Map<string, Minted>> = {
    read: new Map(),
    write: new Map(),
    admin: new Map(),
    'system-admin': new Map(),
  };
  return {
    mintToken(namespaceId, role) {
      const byNamespace = cache[role];
      const nowMs = clock.now();
      const kept = byNamespace.get(namespaceId);
      if (kept !== undefined) {
        const ageMs = nowMs - kept.mintedAtMs;
        if (ageMs < REUSED_MS && ageMs > -SET_BACK_MS) return kept.value;
      }
      const value = `Bearer ${signJwt(keys.current(), claimsFor(permission(namespaceId, role), nowMs))}`;
      byNamespace.set(namespaceId, { value, mintedAtMs: nowMs });
      if (byNamespace.size > MOST_CACHED) dropStale(byNamespace, nowMs);
      return value;
    },
  };
}

/** Namespaces deleted long ago must not stay in memory. */
const MOST_CACHED = 10_000;

function dropStale(entries: Map<string, Minted>, nowMs: number): void {
  for (const [id, minted] of entries) {
    if (nowMs - minted.mintedAtMs >= REUSED_MS) entries.delete(id);
  }
}

/** The claims of a token that begins to live 5 s before `nowMs`. Exported for the self-test, which bends them. */
export function claimsFor(permissions: string, nowMs: number): Record<string, unknown> {
  const issuedAtMs = nowMs - BACKDATED_MS;
  return {
    sub: 'gatehouse-gateway',
    aud: ENGINE_AUDIENCE,
    iat: Math.floor(issuedAtMs / 1000),
    exp: Math.floor((issuedAtMs + TOKEN_LIFE_MS) / 1000),
    permissions: [permissions],
  };
}

/**
 * `<namespace>:<role>`. The engine splits at the first colon, and reads the namespace `temporal-system` as
 * all namespaces: neither may come from a namespace's name.
 */
function permission(namespaceId: string, role: EngineRole): string {
  if (role === 'system-admin') {
    if (namespaceId !== '') throw new EngineError('a system token names no namespace');
    return 'temporal-system:admin';
  }
  if (namespaceId === '' || namespaceId.includes(':') || namespaceId.toLowerCase() === 'temporal-system') {
    throw new EngineError('no token is made for this namespace id');
  }
  return `${namespaceId}:${role}`;
}
