import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { after, before, type TestContext, test } from 'node:test';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { generateCa, generateInternalCa, generateLeaf, generateServiceCertificate } from '#base/pki/generate';
import type { GeneratedCertificate } from '#base/pki/issue-certificate';
import {
  openTlsListener,
  presentedCertificates,
  type RefusedHandshake,
  type ServerIdentity,
  type TlsListener,
} from './tls-listener.ts';

const NAME = 'orders.acme.gatehouse.test';
const DAY_MS = 86_400_000;
const nowMs = Date.now();

interface Made {
  serverCa: GeneratedCertificate;
  identity: ServerIdentity;
  otherIdentity: ServerIdentity;
  ca: GeneratedCertificate;
  leaf: GeneratedCertificate;
  strangersLeaf: GeneratedCertificate;
}
let made: Made;
let listener: TlsListener;
/** Set by each test. */
let onSocket: (socket: TLSSocket) => void;
let refusals: RefusedHandshake[];
let onRefusal: () => void;

const pair = ({ certificatePem, privateKeyPem }: GeneratedCertificate): ServerIdentity => ({
  certificate: certificatePem,
  privateKey: privateKeyPem,
});

before(async () => {
  const serverCa = await generateInternalCa({ commonName: 'server CA', validityMs: DAY_MS });
  const server = async (commonName: string): Promise<ServerIdentity> =>
    pair(
      await generateServiceCertificate({
        ca: serverCa,
        commonName,
        dnsNames: [NAME],
        usages: ['serverAuth'],
        validityMs: DAY_MS,
        nowMs,
      }),
    );
  const tenant = async (organization: string) => {
    const ca = await generateCa({ organization, validityMs: 30 * DAY_MS, nowMs });
    const { certificatePem: caPem, privateKeyPem: caKeyPem } = ca;
    return { ca, leaf: await generateLeaf({ caPem, caKeyPem, organization, validityMs: DAY_MS, nowMs }) };
  };
  const [own, stranger] = [await tenant('acme'), await tenant('other')];
  made = {
    serverCa,
    identity: await server('first'),
    otherIdentity: await server('second'),
    ca: own.ca,
    leaf: own.leaf,
    strangersLeaf: stranger.leaf,
  };
  const trust = { caPem: made.ca.certificatePem, of: made };
  listener = await openTlsListener({
    host: '127.0.0.1',
    port: 0,
    identity: made.identity,
    alpn: ['h2'],
    minVersion: 'TLSv1.3',
    trustOf: (serverName) => {
      if (serverName === 'throws.gatehouse.test') throw new Error('planted');
      return serverName === NAME ? trust : undefined;
    },
    decoyCaPem: made.serverCa.certificatePem,
    handshakeTimeoutMs: 500,
    onSocket: (socket) => {
      handedOn.push(socket);
      onSocket(socket);
    },
    onRefused: (refusal) => {
      refusals.push(refusal);
      onRefusal();
    },
  });
});
/** The listener's side of every connection: nobody reads them, so nobody would see their clients go. */
const handedOn: TLSSocket[] = [];
after(() => {
  listener.stopAccepting();
  for (const socket of handedOn) socket.destroy();
});

interface Dialled {
  client: TLSSocket;
  /** The listener's side, or what it refused. */
  outcome: Promise<TLSSocket | RefusedHandshake>;
}

function dial(t: TestContext, options: ConnectionOptions = {}): Dialled {
  refusals = [];
  const outcome = new Promise<TLSSocket | RefusedHandshake>((resolve) => {
    onSocket = resolve;
    onRefusal = () => refusals.slice(-1).forEach(resolve);
  });
  const client = connect({
    ...listener.address,
    servername: NAME,
    ca: made.serverCa.certificatePem,
    cert: made.leaf.certificatePem,
    key: made.leaf.privateKeyPem,
    ALPNProtocols: ['h2'],
    ...options,
  });
  client.on('error', () => undefined);
  t.after(() => client.destroy());
  return { client, outcome };
}

async function admitted(dialled: Dialled): Promise<TLSSocket> {
  const outcome = await dialled.outcome;
  assert.ok('servername' in outcome, `refused: ${JSON.stringify(outcome)}`);
  return outcome;
}

async function refusalOf(dialled: Dialled): Promise<RefusedHandshake> {
  const outcome = await dialled.outcome;
  assert.ok('reason' in outcome, 'was admitted');
  assert.match(outcome.peer, /^127\.0\.0\.1:\d+$/);
  return outcome;
}

test('a client with a certificate of the right CA is handed on, with the certificate it presented', async (t) => {
  const socket = await admitted(dial(t));
  assert.equal(socket.getProtocol(), 'TLSv1.3');
  assert.equal(socket.alpnProtocol, 'h2');
  const [leaf] = presentedCertificates(socket);
  assert.ok(leaf !== undefined);
  const pem = made.leaf.certificatePem.replace(/-----[^-]+-----|\s/g, '');
  assert.equal(Buffer.from(leaf).toString('base64'), pem);
});

for (const [what, reason, options] of [
  ['T-010 a client without a certificate', 'certificate_missing', { cert: undefined, key: undefined }],
  ['T-019 a client that asks for an unknown name', 'sni_unknown', { servername: 'billing.gatehouse.test' }],
  ['a client that speaks another protocol', 'alpn_missing', { ALPNProtocols: ['http/1.1'] }],
  ['T-002 a client of TLS 1.2', 'tls_handshake_failed', { maxVersion: 'TLSv1.2' }],
  [
    'a client whose name makes the look-up fail',
    'tls_handshake_failed',
    { servername: 'throws.gatehouse.test' },
  ],
] as const satisfies readonly (readonly [string, string, ConnectionOptions])[]) {
  test(`${what} is refused and reported`, async (t) => {
    assert.equal((await refusalOf(dial(t, options))).reason, reason);
  });
}

test('T-011 a client with a certificate of another CA is refused and reported', async (t) => {
  const { certificatePem: cert, privateKeyPem: key } = made.strangersLeaf;
  assert.equal((await refusalOf(dial(t, { cert, key }))).reason, 'certificate_not_admitted');
});

test('T-005 a client that says nothing is cut after the handshake time and reported', async (t) => {
  refusals = [];
  const reported = new Promise<void>((resolve) => {
    onRefusal = resolve;
  });
  const silent = connectTcp({ ...listener.address });
  silent.on('error', () => undefined);
  // A socket that nobody reads never hears of its end.
  silent.resume();
  t.after(() => silent.destroy());
  await Promise.all([reported, once(silent, 'close')]);
  assert.equal(refusals[0]?.reason, 'handshake_timeout');
});

test('T-004 no session is resumed: no ticket is given, and an offered one leads to a full handshake', async (t) => {
  const first = dial(t, { maxVersion: 'TLSv1.3' });
  let tickets = 0;
  first.client.on('session', () => {
    tickets += 1;
  });
  const socket = await admitted(first);
  // A ticket would come before the first byte of data.
  socket.write('x');
  await once(first.client, 'data');
  assert.equal(tickets, 0);
  const session = first.client.getSession();
  const second = dial(t, session === undefined ? {} : { session });
  await admitted(second);
  assert.equal(second.client.isSessionReused(), false);
});

test('a new certificate is shown to new connections, and open ones go on', async (t) => {
  const shownTo = async ({ client }: Dialled): Promise<unknown> => {
    if (client.connecting || !client.authorized) await once(client, 'secureConnect');
    return client.getPeerCertificate().subject.CN;
  };
  const before = dial(t);
  const held = await admitted(before);
  assert.equal(await shownTo(before), 'first');
  listener.setIdentity(made.otherIdentity);
  t.after(() => listener.setIdentity(made.identity));
  const later = dial(t);
  await admitted(later);
  assert.equal(await shownTo(later), 'second');
  held.write('still here');
  const [data] = (await once(before.client, 'data')) as [Buffer];
  assert.equal(data.toString(), 'still here');
});

test('a certificate that does not fit its key is refused, and the old one stays', async (t) => {
  const { certificate } = made.otherIdentity;
  assert.throws(() => listener.setIdentity({ certificate, privateKey: made.identity.privateKey }));
  const dialled = dial(t);
  await admitted(dialled);
  assert.equal(dialled.client.getPeerCertificate().subject.CN, 'first');
});
