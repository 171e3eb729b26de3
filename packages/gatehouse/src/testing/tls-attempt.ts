import { readFileSync } from 'node:fs';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import type { EndpointFile } from '#app/endpoint-file';
import type { ClientCredential } from './client-credential.ts';

/** What a client got that completed, or tried to complete, a TLS handshake with the gateway. */
export interface TlsAttempt {
  /**
   * `alert`: the gateway ended TLS with an alert. `closed`: it closed without a byte. `served`: it sent at
   * least one byte over TLS, so it took the client for somebody.
   */
  readonly ended: 'alert' | 'closed' | 'served';
  /** The client's own error, such as `ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED`; empty for an orderly end. */
  readonly code: string;
  /** Our address as the gateway sees it: the `peer` of its record. */
  readonly peer: string;
  readonly tookMs: number;
  /** True where the server agreed to go on with the session that was offered. */
  readonly resumed: boolean;
  /** What a client could offer next time: every ticket that came, and the session as the client keeps it. */
  readonly sessions: readonly Buffer[];
}

export interface TlsAttemptOptions {
  readonly endpoint: EndpointFile;
  readonly serverName: string;
  readonly credential?: ClientCredential;
  readonly tls?: ConnectionOptions;
  /** `host:port`; the gRPC endpoint by default. */
  readonly address?: string;
  readonly timeoutMs?: number;
}

const HTTP2_PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';

/**
 * Makes one handshake, sends the start of HTTP/2 and waits for the first byte or the end. In TLS 1.3 a client
 * finishes its own side before it hears of a refusal, so only the first read tells (threats.md section 1).
 * @throws Error when neither comes in time, or where the client itself could not begin.
 */
export function attemptTls(options: TlsAttemptOptions): Promise<TlsAttempt> {
  const beganMs = performance.now();
  const socket = connect(tlsOptionsOf(options));
  let peer = '';
  let code = '';
  let resumed = false;
  const sessions: Buffer[] = [];
  return new Promise((resolve, reject) => {
    const finish = (served: boolean): void => {
      clearTimeout(timer);
      const kept = socket.getSession();
      if (kept !== undefined) sessions.push(kept);
      socket.destroy();
      const ended = served ? 'served' : /_ALERT_/.test(code) ? 'alert' : 'closed';
      resolve({ ended, code, peer, tookMs: performance.now() - beganMs, resumed, sessions });
    };
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new Error(`${options.serverName}: neither a byte nor an end in time`));
    }, options.timeoutMs ?? 8000);
    socket.on('connect', () => {
      peer = localAddress(socket);
    });
    socket.on('secureConnect', () => {
      resumed = socket.isSessionReused();
      socket.write(HTTP2_PREFACE);
    });
    socket.on('session', (session: Buffer) => sessions.push(session));
    socket.on('data', () => finish(true));
    socket.on('error', (error: NodeJS.ErrnoException) => {
      code = error.code ?? error.message;
    });
    socket.on('close', () => finish(false));
  });
}

/** TLS options of a client of this endpoint that shows this certificate. */
export function tlsOptionsOf(options: TlsAttemptOptions): ConnectionOptions {
  const [host = '', port = ''] = (options.address ?? options.endpoint.grpc).split(':');
  return {
    host,
    port: Number(port),
    servername: options.serverName,
    ca: readFileSync(options.endpoint.serverCa),
    ALPNProtocols: ['h2'],
    ...options.credential,
    ...options.tls,
  };
}

/** `address:port` of our end. */
function localAddress(socket: TLSSocket): string {
  return `${socket.localAddress}:${socket.localPort}`;
}
