import { once } from 'node:events';
import { type AddressInfo, connect as connectTcp, createServer } from 'node:net';
import { connect } from 'node:tls';
import { generateInternalCa, generateServiceCertificate } from '#base/pki/generate';
import { openTlsListener, type RefusedHandshake } from './tls-listener.ts';

const NAME = 'orders.acme1.gatehouse.test';
const DAY_MS = 86_400_000;
const ca = await generateInternalCa({ commonName: 'CA', validityMs: DAY_MS });
const server = await generateServiceCertificate({
  ca,
  commonName: 'server',
  dnsNames: [NAME],
  usages: ['serverAuth'],
  validityMs: DAY_MS,
  nowMs: Date.now(),
});

let underWay = 0;
let onEnd: () => void = () => undefined;
let refused: RefusedHandshake[] = [];
let admitted = 0;
const names: string[] = [];

const listener = await openTlsListener({
  host: '127.0.0.1',
  port: 0,
  identity: { certificate: server.certificatePem, privateKey: server.privateKeyPem },
  alpn: ['h2'],
  minVersion: 'TLSv1.2',
  trustOf: (name) => {
    names.push(name);
    return name === NAME ? { caPem: ca.certificatePem, of: server } : undefined;
  },
  decoyCaPem: ca.certificatePem,
  handshakeTimeoutMs: 2000,
  onSocket: (socket) => {
    admitted += 1;
    socket.destroy();
  },
  onRefused: (refusal) => refused.push(refusal),
  beginHandshake: () => {
    underWay += 1;
    return () => {
      underWay -= 1;
      onEnd();
    };
  },
});

/** Whatever comes in place of a ClientHello: the connection ends, is recorded at most once, and is nobody's. */
export async function fuzz(bytes: Buffer): Promise<void> {
  refused = [];
  names.length = 0;
  const ended = new Promise<void>((resolve) => {
    onEnd = resolve;
  });
  const client = connectTcp(listener.address.port, listener.address.host);
  client.on('error', () => undefined);
  client.resume();
  client.end(bytes);
  await Promise.all([ended, once(client, 'close')]);
  if (underWay !== 0) throw new Error(`${underWay} handshakes are still counted`);
  if (admitted > 0) throw new Error('somebody without a certificate was admitted');
  if (refused.length > 1) throw new Error(`recorded ${refused.length} times`);
  for (const { serverName, detail } of refused)
    if (serverName.length > 255 || detail.length > 200) throw new Error('a record without bounds');
  for (const name of names)
    if (typeof name !== 'string' || name === '') throw new Error('a server name that is none');
}

/** The listener would keep a process that only replays a corpus. */
export function close(): void {
  listener.stopAccepting();
}

/** First flights of the runtime's own client. */
export async function* seeds(): AsyncGenerator<Uint8Array> {
  const catcher = createServer();
  catcher.listen(0, '127.0.0.1');
  await once(catcher, 'listening');
  const { port } = catcher.address() as AddressInfo;
  for (const servername of [NAME, 'other.gatehouse.test', '']) {
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      const came = once(catcher, 'connection');
      const client = connect({ port, host: '127.0.0.1', servername, maxVersion, ALPNProtocols: ['h2'] });
      client.on('error', () => undefined);
      const [socket] = await came;
      const [flight] = (await once(socket, 'data')) as [Buffer];
      yield flight;
      socket.destroy();
      client.destroy();
    }
  }
  catcher.close();
}

export const dictionary: (string | Uint8Array)[] = [NAME, 'gatehouse.test', '\0', Uint8Array.of(0x16, 3, 1)];
