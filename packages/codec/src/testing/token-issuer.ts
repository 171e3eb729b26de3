import { generateKeyPairSync, type KeyPairKeyObjectResult } from 'node:crypto';
import { createServer } from 'node:http';
import { exportJWK, SignJWT } from 'jose';

type Algorithm = 'RS256' | 'ES256';

/** An identity provider as far as a codec server sees one: metadata, keys, and tokens that it signed. */
export interface TokenIssuer {
  readonly issuer: string;
  readonly pairs: Readonly<Record<Algorithm, KeyPairKeyObjectResult>>;
  /** Exchanges what its metadata says. */
  metadata(next: (issuer: string) => unknown): void;
  /** Of `ann`, for the audience `codec`, good for a minute; the claims given are added or replace these. */
  sign(claims: Readonly<Record<string, unknown>>, algorithm?: Algorithm): Promise<string>;
  close(): void;
}

/** An issuer with a key set of its own. */
export async function startTokenIssuer(): Promise<TokenIssuer> {
  const pairs = {
    RS256: generateKeyPairSync('rsa', { modulusLength: 2048 }),
    ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  };
  const keys = await Promise.all(
    Object.entries(pairs).map(async ([alg, pair]) => ({
      ...(await exportJWK(pair.publicKey)),
      kid: alg,
      alg,
    })),
  );
  let metadataOf = (issuer: string): unknown => ({ issuer, jwks_uri: `${issuer}/keys` });
  const server = createServer((req, res) => {
    const answer = req.url === '/keys' ? { keys } : metadataOf(issuer);
    res.end(JSON.stringify(answer));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const issuer = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
  return {
    issuer,
    pairs,
    metadata(next) {
      metadataOf = next;
    },
    sign: (claims, alg = 'RS256') =>
      new SignJWT({
        iss: issuer,
        aud: 'codec',
        exp: Math.floor(Date.now() / 1000) + 60,
        sub: 'ann',
        ...claims,
      })
        .setProtectedHeader({ alg, kid: alg })
        .sign(pairs[alg].privateKey),
    close: () => void server.close(),
  };
}
