import { readFileSync } from 'node:fs';
import { type ClientHttp2Session, connect } from 'node:http2';
import type { KeyPairFiles } from './certificates.ts';

/** Whom to connect to, and as whom. */
export interface SessionGround extends KeyPairFiles {
  readonly port: number;
  readonly serverName: string;
  readonly caFile: string;
}

/** Lends one connection. What goes wrong with it is what its calls reject with. */
export async function withSession<T>(
  { port, serverName, caFile, certificateFile, keyFile }: SessionGround,
  use: (session: ClientHttp2Session) => Promise<T>,
): Promise<T> {
  const session = connect(`https://127.0.0.1:${port}`, {
    servername: serverName,
    ca: readFileSync(caFile),
    cert: readFileSync(certificateFile),
    key: readFileSync(keyFile),
    minVersion: 'TLSv1.3',
  });
  session.on('error', () => undefined);
  try {
    return await use(session);
  } finally {
    session.destroy();
  }
}
