import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, connect as dial, type Server } from 'node:net';
import { after, before, test } from 'node:test';
import { connect, createServer as createTlsServer } from 'node:tls';
import {
  generateInternalCa,
  generateServiceCertificate,
} from '../../packages/gatehouse/src/base/pki/generate.ts';
import { captureObstacle, startCapture } from './capture.ts';
import { firstWordsOf } from './first-words.ts';
import type { CapturedConnection } from './read-pcap.ts';

let ca: string;
let identity: { readonly cert: string; readonly key: string };
const servers: Server[] = [];

before(async () => {
  const nowMs = Date.now();
  const authority = await generateInternalCa({ commonName: 'a CA', validityMs: 86_400_000, nowMs });
  const pair = await generateServiceCertificate({
    ca: authority,
    commonName: 'a server',
    dnsNames: ['server.test'],
    usages: ['serverAuth'],
    validityMs: 86_400_000,
    nowMs,
  });
  ca = authority.certificatePem;
  identity = { cert: pair.certificatePem, key: pair.privateKeyPem };
});
after(() => {
  for (const server of servers) server.close();
});

async function listen(server: Server): Promise<number> {
  servers.push(server);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return (server.address() as AddressInfo).port;
}

/** Sends a megabyte over TLS, which is more than a capture keeps of a packet or of a connection. */
async function speakTls(port: number, maxVersion: 'TLSv1.2' | 'TLSv1.3'): Promise<void> {
  const socket = connect({ host: '127.0.0.1', port, ca, servername: 'server.test', maxVersion });
  socket.resume();
  await once(socket, 'secureConnect');
  socket.end(Buffer.alloc(1_000_000));
  await once(socket, 'close');
}

async function speakPlain(port: number, text: string): Promise<void> {
  const socket = dial(port, '127.0.0.1');
  socket.resume().on('error', () => undefined);
  socket.end(text);
  await once(socket, 'close');
}

const ofPort = (connections: readonly CapturedConnection[], port: number) =>
  connections.filter(({ serverPort }) => serverPort === port).map(firstWordsOf);

test('a capture sees every connection of its ports, and says which is TLS 1.3, which is older, and which is none', {
  skip: captureObstacle(),
}, async () => {
  const secured = await listen(
    createTlsServer({ ...identity, minVersion: 'TLSv1.2' }, (socket) => void socket.resume().end('bye')),
  );
  const plain = await listen(createServer((socket) => void socket.resume().end('in clear')));
  const unused = await listen(createServer());
  const elsewhere = await listen(createServer((socket) => void socket.resume().end()));
  const capture = await startCapture([secured, plain, unused]);
  await speakTls(secured, 'TLSv1.3');
  await speakTls(secured, 'TLSv1.2');
  await speakPlain(secured, 'GET / HTTP/1.1\r\n\r\n');
  await speakPlain(plain, 'hello');
  await speakPlain(elsewhere, 'not to be seen');
  const connections = await capture.stop();
  const [newest, older, none, ...rest] = ofPort(connections, secured);
  assert.deepEqual(newest, {
    kind: 'tls',
    version: '1.3',
    cipher: 'TLS_AES_256_GCM_SHA384',
    group: newest?.kind === 'tls' ? newest.group : '',
    serverName: 'server.test',
    preface: 'none',
  });
  assert.notEqual(newest.kind === 'tls' && newest.group, '');
  assert.equal(older?.kind === 'tls' && older.version, '1.2');
  assert.deepEqual(none, { kind: 'clear', began: 'GET / HTTP/1.1\r\n\r\n' });
  assert.deepEqual(rest, []);
  assert.deepEqual(ofPort(connections, plain), [{ kind: 'clear', began: 'hello' }]);
  assert.equal(connections.length, 4);
});

const hello = (version: number, type: number): Buffer =>
  Buffer.from([22, 3, 3, 0, 6, type, 0, 0, 2, 3, version]);

test('half of a greeting, a greeting that goes on in clear, and a database that refuses TLS are told apart', () => {
  const words = (fromClient: Buffer, fromServer: Buffer) =>
    firstWordsOf({
      serverPort: 1,
      serverAddress: '127.0.0.1',
      clientPort: 2,
      accepted: true,
      fromClient,
      fromServer,
    }).kind;
  const nothing = Buffer.alloc(0);
  assert.equal(words(nothing, nothing), 'silent');
  // A banner, before the client has said anything.
  assert.equal(words(nothing, Buffer.from('220 hello')), 'clear');
  // Too short to be a ClientHello.
  assert.equal(words(hello(3, 1), nothing), 'clear');
  const sslRequest = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]);
  assert.equal(words(Buffer.concat([sslRequest, Buffer.from('startup')]), Buffer.from('N')), 'clear');
});

test('a capture that cannot be made says so', async () => {
  const path = process.env['PATH'];
  process.env['PATH'] = '/nowhere';
  try {
    await assert.rejects(startCapture([1]), /tcpdump/);
  } finally {
    process.env['PATH'] = path;
  }
});
