import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { startTokenIssuer } from '../../packages/codec/src/testing/token-issuer.ts';

/** A company's sign-in with one person, who is asked for nothing. */
export interface SignIn {
  readonly issuer: string;
  readonly clientId: string;
  /** From the next sign-in on, the access token lists this permission and no other. */
  permit(permission: string): void;
  close(): void;
}

/** OpenID Connect as far as the Web UI's server needs it: authorization code, nonce, ID token. */
export async function startSignIn(): Promise<SignIn> {
  const tokens = await startTokenIssuer();
  const clientId = 'web-ui';
  const nonces = new Map<string, string>();
  let permission = '';

  const authorize = ({ searchParams }: URL, res: ServerResponse): void => {
    const code = randomUUID();
    nonces.set(code, searchParams.get('nonce') ?? '');
    const back = new URL(searchParams.get('redirect_uri') ?? '');
    back.searchParams.set('code', code);
    back.searchParams.set('state', searchParams.get('state') ?? '');
    res.writeHead(302, { location: back.href }).end();
  };
  const exchange = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    const nonce = nonces.get(new URLSearchParams(await text(req)).get('code') ?? '');
    const answer = {
      token_type: 'Bearer',
      expires_in: 60,
      access_token: await tokens.sign({ permissions: [permission] }),
      id_token: await tokens.sign({ aud: clientId, nonce, email: 'ann@example.com', name: 'Ann' }),
    };
    res.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
  };
  const server = createServer((req, res) => {
    const url = new URL(req.url ?? '', 'http://localhost');
    if (url.pathname === '/authorize') authorize(url, res);
    else exchange(req, res).catch((error: unknown) => res.writeHead(500).end(String(error)));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  tokens.metadata((issuer) => ({
    issuer,
    jwks_uri: `${issuer}/keys`,
    authorization_endpoint: `${base}/authorize`,
    token_endpoint: `${base}/token`,
    id_token_signing_alg_values_supported: ['RS256'],
  }));
  return {
    issuer: tokens.issuer,
    clientId,
    permit(next) {
      permission = next;
    },
    close() {
      server.close();
      tokens.close();
    },
  };
}
