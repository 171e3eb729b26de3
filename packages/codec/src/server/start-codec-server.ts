import { createServer, type Server as HttpServer } from 'node:http';
import { createServer as createTlsServer, type Server as HttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { CodecServer } from './codec-server.ts';

/** PEM. */
export interface ServerCertificate {
  readonly cert: string;
  readonly key: string;
}

export interface ListenOptions {
  readonly host: string;
  /** 0: a free one. */
  readonly port: number;
  /** Without it: plain HTTP, for the loopback or behind a proxy on the same machine. */
  readonly certificate?: ServerCertificate;
}

export interface ListeningCodecServer {
  /** Where it listens, such as `https://127.0.0.1:8081`. */
  readonly url: string;
  /** For connections from now on. @throws where the certificate and its key cannot be read. */
  useCertificate(certificate: ServerCertificate): void;
  /** Lets running requests finish, for a while. */
  close(): Promise<void>;
}

/** Headers come within this time, or the connection ends. */
const HEADERS_TIMEOUT_MS = 10_000;
/** Longer than the body may take, so that the handler's own answer comes first. */
const REQUEST_TIMEOUT_MS = 60_000;
const HEADER_BYTES_MAX = 32_768;
const CONNECTIONS_MAX = 1000;
const CLOSE_MS = 3000;

/** Runs a codec server on a port of its own, with TLS 1.3. */
export async function startCodecServer(
  { handle }: Pick<CodecServer, 'handle'>,
  { host, port, certificate }: ListenOptions,
): Promise<ListeningCodecServer> {
  const limits = {
    headersTimeout: HEADERS_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    maxHeaderSize: HEADER_BYTES_MAX,
  };
  const secure = certificate && createTlsServer({ ...limits, ...certificate, minVersion: 'TLSv1.3' }, handle);
  const server: HttpServer | HttpsServer = secure ?? createServer(limits, handle);
  server.maxConnections = CONNECTIONS_MAX;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(port, host, resolve);
  });
  const address = server.address() as AddressInfo;
  const shownHost = address.family === 'IPv6' ? `[${address.address}]` : address.address;
  return {
    url: `${secure === undefined ? 'http' : 'https'}://${shownHost}:${address.port}`,
    useCertificate(next) {
      secure?.setSecureContext({ ...next, minVersion: 'TLSv1.3' });
    },
    async close() {
      const timer = setTimeout(() => server.closeAllConnections(), CLOSE_MS);
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeIdleConnections();
      });
      clearTimeout(timer);
    },
  };
}
