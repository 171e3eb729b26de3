import { connect as connectPlain, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';

/**
 * What came of knocking at a port:
 * - `closed`: nothing listens, or no packet gets there
 * - `refused`: something listens and ended the connection before it answered
 * - `answered`: it sent bytes of a protocol: it would have talked to us
 * - `silent`: it kept the connection and said nothing in time
 */
export interface ProbeResult {
  readonly outcome: 'closed' | 'refused' | 'answered' | 'silent';
  readonly detail: string;
}

export interface Probe {
  readonly host: string;
  readonly port: number;
  /** Absent: plain text. The server's certificate is never checked: an attacker would not care. */
  readonly tls?: ConnectionOptions;
  /** Sent once the connection stands. */
  readonly send?: Buffer;
  readonly limitMs?: number;
}

/** The client's connection preface and an empty SETTINGS frame (RFC 9113 section 3.4): a server must answer it. */
export const HTTP2_HELLO: Buffer = Buffer.concat([
  Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1'),
  Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]),
]);

/** Codes of a connection that reached nobody. */
const UNREACHED = new Set([
  'ECONNREFUSED',
  'EADDRNOTAVAIL',
  'ENETUNREACH',
  'EHOSTUNREACH',
  'EAFNOSUPPORT',
  'EACCES',
  'EPERM',
]);

/** Knocks once. Never rejects. */
export function probe(options: Probe): Promise<ProbeResult> {
  return new Promise((resolve) => {
    let connected = false;
    const socket: Socket =
      options.tls === undefined
        ? connectPlain({ host: options.host, port: options.port })
        : connectTls({
            host: options.host,
            port: options.port,
            rejectUnauthorized: false,
            ...options.tls,
          });
    const finish = (outcome: ProbeResult['outcome'], detail: string): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve({ outcome, detail });
    };
    const timer = setTimeout(
      () => (connected ? finish('silent', 'said nothing') : finish('closed', 'no packet came back')),
      options.limitMs ?? 5_000,
    );
    socket.on('connect', () => {
      connected = true;
    });
    socket.on(options.tls === undefined ? 'connect' : 'secureConnect', () => {
      if (options.send !== undefined) socket.write(options.send);
    });
    socket.on('data', (data: Buffer) => finish('answered', `${data.length} bytes`));
    socket.on('error', (error: NodeJS.ErrnoException) => {
      const reached = !UNREACHED.has(error.code ?? '');
      finish(reached ? 'refused' : 'closed', error.code ?? error.message);
    });
    socket.on('close', () => finish(connected ? 'refused' : 'closed', 'connection ended'));
  });
}
