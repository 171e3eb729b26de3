import { generateKeyPairSync, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { KeyPairFiles } from './certificates.ts';

/**
 * The keys that the real engine trusts in a run: one of the bench's own, with which the load speaks to the
 * engine directly, and those of the gateway under test, passed on.
 */
export interface EngineKeys {
  /** A `Bearer` value with this permission, valid for an hour. */
  bearer(permission: string): string;
  stop(): void;
}

const KID = 'bench';

/**
 * @param identity for 127.0.0.1, from a CA that the engine trusts.
 * @param gatewayPort where a gateway, once it is up, publishes its own.
 */
export async function startEngineKeys(
  port: number,
  identity: KeyPairFiles,
  gatewayPort: number,
  audience: string,
): Promise<EngineKeys> {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 });
  const own = { ...publicKey.export({ format: 'jwk' }), kid: KID, alg: 'RS256', use: 'sig' };
  const cert = readFileSync(identity.certificateFile);
  const key = readFileSync(identity.keyFile);
  const server = createServer({ cert, key, minVersion: 'TLSv1.3' }, async (_req, res) => {
    const keys = await fetchKeys(`http://127.0.0.1:${gatewayPort}/jwks.json`);
    res.setHeader('content-type', 'application/json');
    res.end(JSON.stringify({ keys: [own, ...keys] }));
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return {
    bearer: (permission) => {
      const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
      // Backdated: the engine allows no clock difference.
      const issuedAt = Math.floor(Date.now() / 1_000) - 5;
      const claims = { sub: 'bench', aud: audience, iat: issuedAt, exp: issuedAt + 3_600 };
      const head = encode({ alg: 'RS256', typ: 'JWT', kid: KID });
      const signed = `${head}.${encode({ ...claims, permissions: [permission] })}`;
      return `Bearer ${signed}.${sign('sha256', Buffer.from(signed), privateKey).toString('base64url')}`;
    },
    stop: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** A gateway that is not up yet has no keys: the engine asks again. */
async function fetchKeys(url: string): Promise<unknown[]> {
  const response = await fetch(url).catch(() => undefined);
  if (response?.ok !== true) return [];
  const body = (await response.json()) as { keys?: unknown[] };
  return body.keys ?? [];
}
