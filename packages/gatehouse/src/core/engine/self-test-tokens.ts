import { openEngineSession } from './engine-call.ts';
import { COUNT_WORKFLOWS, namespaceRequest } from './engine-messages.ts';
import { makeKey, type SigningKey, signJwt } from './engine-signing-keys.ts';
import { claimsFor } from './engine-tokens.ts';
import type { SelfTestCheck, SelfTestTarget } from './self-test-check.ts';

const PERMISSION_DENIED = 7;
const NOT_FOUND = 5;
/** Never registered, and no tenant's: public ids have a dot. */
const NAMESPACE = 'gatehouse-self-test';
const MINUTE_SECONDS = 60;

/** Which tokens the engine takes: ours, in time, for the namespace of the call (T-057). */
export async function checkTokens(target: SelfTestTarget): Promise<readonly SelfTestCheck[]> {
  const nowMs = target.clock.now();
  const key = target.keys.current();
  const session = openEngineSession(target.address, target.tls);
  const count = async (
    check: string,
    token: string | undefined,
    expected: number,
  ): Promise<SelfTestCheck> => {
    const answer = await session.call(COUNT_WORKFLOWS, namespaceRequest(NAMESPACE), token, 5_000);
    return { check, held: answer.status === expected, detail: `status ${answer.status}` };
  };
  try {
    return await Promise.all([
      count('a valid token is accepted', bearer(key, claimsFor(`${NAMESPACE}:read`, nowMs)), NOT_FOUND),
      ...(await badTokens(key, nowMs)).map(([check, token]) => count(check, token, PERMISSION_DENIED)),
    ]);
  } finally {
    session.close();
  }
}

async function badTokens(
  key: SigningKey,
  nowMs: number,
): Promise<readonly (readonly [string, string | undefined])[]> {
  const good = claimsFor(`${NAMESPACE}:read`, nowMs);
  const nowSeconds = Math.floor(nowMs / 1000);
  const { aud: _, ...withoutAudience } = good;
  const stranger = await makeKey(nowMs);
  const renamed: SigningKey = { ...stranger, kid: key.kid };
  return [
    ['no token', undefined],
    ['a token that is none', 'Bearer none'],
    [
      'an expired token',
      bearer(key, { ...good, iat: nowSeconds - 2 * MINUTE_SECONDS, exp: nowSeconds - MINUTE_SECONDS }),
    ],
    ['a token for another audience', bearer(key, { ...good, aud: 'another-engine' })],
    ['a token without an audience', bearer(key, withoutAudience)],
    ['a token of another namespace', bearer(key, claimsFor('gatehouse-other:admin', nowMs))],
    ['a token of an unknown key', bearer(stranger, good)],
    ['a token of a stranger under our key id', bearer(renamed, good)],
    ['an unsigned token', `Bearer ${unsigned(good)}`],
  ];
}

function bearer(key: SigningKey, claims: Readonly<Record<string, unknown>>): string {
  return `Bearer ${signJwt(key, claims)}`;
}

function unsigned(claims: unknown): string {
  const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${encode({ alg: 'none', typ: 'JWT' })}.${encode(claims)}.`;
}
