import { createSecureServer, type Http2SecureServer, type ServerHttp2Stream } from 'node:http2';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { generateInternalCa, generateServiceCertificate } from '#base/pki/generate';
import { toFrame } from '#base/wire/grpc-message';
import type { EngineTls } from './engine-call.ts';
import { GET_SYSTEM_INFO } from './engine-messages.ts';

/** For tests alone: something that answers like the engine's frontend, as careful or as careless as it is told. */
export interface FakeEngine {
  readonly port: number;
  readonly tls: EngineTls;
  close(): Promise<void>;
}

export interface FakeEngineOptions {
  readonly version?: string;
  /** False: anybody gets a session. */
  readonly asksForCertificate?: boolean;
  /** The gRPC status of every call but GetSystemInfo. */
  readonly status: (authorization: string | undefined) => number | Promise<number>;
}

const HOUR_MS = 3_600_000;

export async function startFakeEngine(options: FakeEngineOptions): Promise<FakeEngine> {
  const nowMs = Date.now();
  const ca = await generateInternalCa({ commonName: 'fake', validityMs: HOUR_MS, nowMs });
  const issue = (name: string, usage: 'serverAuth' | 'clientAuth') =>
    generateServiceCertificate({
      ca,
      commonName: name,
      dnsNames: [name],
      usages: [usage],
      validityMs: HOUR_MS,
      nowMs,
    });
  const [frontend, gateway] = await Promise.all([
    issue('engine-frontend', 'serverAuth'),
    issue('gateway', 'clientAuth'),
  ]);
  const asks = options.asksForCertificate ?? true;
  const server = createSecureServer({
    cert: frontend.certificatePem,
    key: frontend.privateKeyPem,
    ca: ca.certificatePem,
    requestCert: asks,
    rejectUnauthorized: asks,
  });
  server.on('stream', (stream, headers) => {
    void answer(stream, headers[':path'], headers.authorization, options);
  });
  server.on('sessionError', () => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    tls: {
      serverName: 'engine-frontend',
      ca: ca.certificatePem,
      cert: gateway.certificatePem,
      key: gateway.privateKeyPem,
    },
    close: () => closeServer(server),
  };
}

async function answer(
  stream: ServerHttp2Stream,
  path: string | undefined,
  authorization: string | undefined,
  options: FakeEngineOptions,
): Promise<void> {
  stream.on('error', () => undefined);
  const info = path === GET_SYSTEM_INFO;
  const status = info ? 0 : await options.status(authorization);
  if (stream.destroyed) return;
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': String(status) }));
  const version = new BinaryWriter().tag(1, WireType.LengthDelimited).string(options.version ?? '1.31.5');
  stream.end(info ? toFrame(version.finish()) : undefined);
}

function closeServer(server: Http2SecureServer): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
  });
}
