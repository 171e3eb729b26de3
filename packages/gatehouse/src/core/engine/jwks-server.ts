import { createServer, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { EngineError } from './engine-error.ts';
import type { SigningKeys } from './engine-signing-keys.ts';

export interface JwksServer {
  readonly port: number;
  /** Shows what `identity` gives now, from the next connection on. */
  renewIdentity(): void;
  close(): Promise<void>;
}

const LIMITS = { maxHeaderSize: 4096, requestTimeout: 5_000, keepAliveTimeout: 1_000 };

/**
 * Serves the public keys to the engine: over TLS 1.3 to an engine of our own, which trusts our CA for it
 * (engine-roots.ts), in clear where no identity is given. Loopback unless an engine elsewhere is configured. Must
 * listen before the engine starts: without keys it refuses every token until its next refresh.
 * @throws EngineError when the port is taken.
 */
export async function startJwksServer(options: {
  readonly keys: SigningKeys;
  readonly port: number;
  readonly host?: string;
  readonly identity?: (() => { readonly cert: string; readonly key: string }) | undefined;
}): Promise<JwksServer> {
  const { keys, identity } = options;
  const answer: RequestListener = (req, res) => {
    if (req.method !== 'GET' || req.url !== '/jwks.json') {
      res.writeHead(404).end();
      return;
    }
    res.on('finish', () => keys.markServed());
    res.writeHead(200, { 'content-type': 'application/jwk-set+json', 'cache-control': 'no-store' });
    res.end(keys.jwksJson());
  };
  const secured = identity && createTlsServer({ ...LIMITS, ...identity(), minVersion: 'TLSv1.3' }, answer);
  const server = secured ?? createServer(LIMITS, answer);
  server.maxConnections = 64;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) =>
      reject(new EngineError(`the key listener cannot listen on port ${options.port}`, { cause: error })),
    );
    server.listen({ port: options.port, host: options.host ?? '127.0.0.1', exclusive: true }, resolve);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new EngineError('the key listener has no port');
  return {
    port: address.port,
    renewIdentity() {
      if (identity !== undefined) secured?.setSecureContext({ ...identity(), minVersion: 'TLSv1.3' });
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
