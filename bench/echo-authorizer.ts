import { createPublicKey, type JsonWebKey, verify } from 'node:crypto';

/**
 * The engine's check of the gateway's token, as far as the gateway proves it before it opens: a gateway does
 * not start in front of an engine that takes any token. Measured calls are not checked: the check costs the
 * engine, not the proxy.
 * @returns true when the token is signed by a key of `jwksUrl`, in time, and for this namespace.
 */
export async function isTokenGood(
  token: string | undefined,
  namespace: string,
  jwksUrl: string,
): Promise<boolean> {
  const [head, claims, signature] = (token?.replace(/^Bearer /, '') ?? '').split('.');
  if (head === undefined || claims === undefined || signature === undefined) return false;
  const { alg, kid } = parsePart(head);
  if (alg !== 'RS256') return false;
  const key = (await fetchKeys(jwksUrl)).find((candidate) => candidate['kid'] === kid);
  if (key === undefined) return false;
  const signed = Buffer.from(`${head}.${claims}`);
  const publicKey = createPublicKey({ key, format: 'jwk' });
  if (!verify('sha256', signed, publicKey, Buffer.from(signature, 'base64url'))) return false;
  const { aud, exp, permissions } = parsePart(claims);
  if (typeof exp !== 'number' || exp * 1_000 < Date.now() || aud !== AUDIENCE) return false;
  const named = Array.isArray(permissions)
    ? permissions.map((permission) => String(permission).split(':')[0])
    : [];
  return named.includes(namespace) || named.includes('temporal-system');
}

const AUDIENCE = 'gatehouse-engine';

async function fetchKeys(url: string): Promise<JsonWebKey[]> {
  const response = await fetch(url).catch(() => undefined);
  if (response?.ok !== true) return [];
  return ((await response.json()) as { keys: JsonWebKey[] }).keys;
}

function parsePart(part: string): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>;
  } catch {
    return {};
  }
}
