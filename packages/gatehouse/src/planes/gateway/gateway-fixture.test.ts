// No test itself: a gateway in front of an engine that answers as a test says.

import { createSecureServer, type Http2SecureServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import type { SecureContextOptions } from 'node:tls';
import { fromBinary, fromJson, type JsonValue, toBinary, toJson } from '@bufbuild/protobuf';
import { Secret } from '#base/crypto/secret';
import { createTokenKeyring } from '#base/crypto/token-keyring';
import type { AuditEvent } from '#base/model/audit-event';
import type { DirectorySnapshot } from '#base/model/namespace-record';
import { generateCa, generateInternalCa, generateLeaf, generateServiceCertificate } from '#base/pki/generate';
import type { GeneratedCertificate } from '#base/pki/issue-certificate';
import { engineApiRegistry } from '#base/proto/api-registry';
import { systemClock } from '#base/runtime/clock';
import { silentLog } from '#base/runtime/log';
import { toFrame } from '#base/wire/grpc-message';
import { encodeGrpcMessage } from '#base/wire/percent-encoding';
import { namespaceRecord } from '#testing/namespace-record';
import { noSealing } from '#testing/no-sealing';
import { type Gateway, startGateway } from './start-gateway.ts';

export const DOMAIN = 'gatehouse.test';
export const NAMESPACE = 'orders.acme1';
export const HOST: string = `${NAMESPACE}.${DOMAIN}`;
const DAY_MS = 86_400_000;

/** What the engine is asked, in protobuf's own JSON. */
export interface EngineQuestion {
  readonly method: string;
  readonly request: Record<string, unknown>;
  readonly headers: Readonly<Record<string, unknown>>;
}

export interface EngineAnswer {
  readonly reply?: unknown;
  readonly status?: number;
  readonly message?: string;
  /** google.rpc.Status in JSON. */
  readonly details?: unknown;
}

export interface GatewayFixture {
  readonly gateway: Gateway;
  readonly events: AuditEvent[];
  readonly asked: EngineQuestion[];
  /** Set by a test. */
  answer: (question: EngineQuestion) => EngineAnswer | Promise<EngineAnswer>;
  healthy: boolean;
  /** TLS of a client that the namespace admits. */
  readonly client: SecureContextOptions & { readonly servername: string };
}

interface Certificates {
  readonly serverCa: GeneratedCertificate;
  readonly server: GeneratedCertificate;
  readonly engine: GeneratedCertificate;
  readonly namespaceCa: GeneratedCertificate;
  readonly leaf: GeneratedCertificate;
}

let made: Promise<Certificates> | undefined;

/** Keys take a while: once for a file. */
async function makeCertificates(): Promise<Certificates> {
  const nowMs = Date.now();
  const validityMs = 30 * DAY_MS;
  const serverCa = await generateInternalCa({ commonName: 'test server CA', validityMs });
  const service = (dnsName: string): Promise<GeneratedCertificate> =>
    generateServiceCertificate({
      ca: serverCa,
      commonName: dnsName,
      dnsNames: [dnsName],
      usages: ['serverAuth'],
      validityMs: DAY_MS,
      nowMs,
    });
  const namespaceCa = await generateCa({ organization: 'acme', validityMs, nowMs });
  const { certificatePem: caPem, privateKeyPem: caKeyPem } = namespaceCa;
  return {
    serverCa,
    server: await service(HOST),
    engine: await service('engine.test'),
    namespaceCa,
    leaf: await generateLeaf({ caPem, caKeyPem, organization: 'acme', nowMs }),
  };
}

export async function startGatewayFixture(t: TestContext): Promise<GatewayFixture> {
  made ??= makeCertificates();
  const certificates = await made;
  const { serverCa, leaf } = certificates;
  const asked: EngineQuestion[] = [];
  const events: AuditEvent[] = [];
  const engine = await startEngine(certificates, async (question) => {
    asked.push(question);
    return await fixture.answer(question);
  });
  const gateway = await openGateway(certificates, engine.port, events, () => fixture.healthy);
  const fixture: GatewayFixture = {
    gateway,
    events,
    asked,
    answer: () => ({ reply: {} }),
    healthy: true,
    client: {
      ca: serverCa.certificatePem,
      cert: leaf.certificatePem,
      key: leaf.privateKeyPem,
      servername: HOST,
    },
  };
  t.after(async () => {
    await gateway.drain(0);
    engine.close();
  });
  return fixture;
}

function openGateway(
  { serverCa, server, namespaceCa }: Certificates,
  enginePort: number,
  events: AuditEvent[],
  healthy: () => boolean,
): Promise<Gateway> {
  const record = namespaceRecord({
    id: NAMESPACE,
    uuid: '3f0f8a52-5d2b-4b56-9d5e-1f7f1f5b8e11',
    engineId: '9b0c7d0a-6c1c-4d1e-8f50-0f3a5ad6c001',
    caBundlePem: namespaceCa.certificatePem,
  });
  const snapshot: DirectorySnapshot = {
    revision: 1,
    confirmedAtMs: Date.now(),
    namespaces: new Map([[record.id, record]]),
  };
  const keyring = createTokenKeyring([{ id: 1, createdAtMs: 0, key: new Secret(Buffer.alloc(32, 7)) }]);
  return startGateway({
    grpc: { host: '127.0.0.1', port: 0 },
    https: { host: '127.0.0.1', port: 0 },
    domain: DOMAIN,
    region: 'aws-local',
    identity: { certificate: server.certificatePem, privateKey: server.privateKeyPem },
    decoyCaPem: serverCa.certificatePem,
    allowTls12: false,
    nexusEnabled: false,
    directory: {
      snapshot: () => snapshot,
      state: () => 'current',
      tokenKeys: () => keyring,
      onChange: () => () => undefined,
    },
    sealing: noSealing,
    engine: {
      target: () => ({
        host: '127.0.0.1',
        port: enginePort,
        serverName: 'engine.test',
        tls: { ca: serverCa.certificatePem },
      }),
      mintToken: (id, role) => `Bearer ${id} ${role}`,
      healthy,
    },
    audit: {
      append: (event) => events.push(event),
      appendStrict: async (event) => {
        events.push(event);
      },
      writable: () => true,
      flush: async () => undefined,
      close: async () => undefined,
      stats: () => {
        throw new Error('not asked for here');
      },
    },
    clock: systemClock,
    log: silentLog,
  });
}

/** An engine's frontend that reads and writes JSON towards the test. */
async function startEngine(
  { engine }: Certificates,
  answer: (question: EngineQuestion) => Promise<EngineAnswer>,
): Promise<{ readonly port: number; close(): void }> {
  const server = createSecureServer({ cert: engine.certificatePem, key: engine.privateKeyPem });
  const sessions = new Set<{ destroy(): void }>();
  server.on('session', (session) => sessions.add(session));
  server.on('stream', (stream, headers) => {
    const chunks: Buffer[] = [];
    stream.on('error', () => undefined);
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('end', async () => {
      const method = methodOf(String(headers[':path']));
      const bytes = Buffer.concat(chunks).subarray(5);
      const registry = engineApiRegistry();
      const request = toJson(method.input, fromBinary(method.input, bytes), { registry }) as Record<
        string,
        unknown
      >;
      const given = await answer({ method: method.name, request, headers });
      if (stream.destroyed) return;
      const ends = trailersOf(given);
      if (given.reply === undefined) return stream.respond({ ':status': 200, ...ends }, { endStream: true });
      const message = fromJson(method.output, given.reply as JsonValue, { registry });
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers(ends));
      return stream.end(toFrame(toBinary(method.output, message)));
    });
  });
  const port = await listen(server);
  return {
    port,
    close: () => {
      server.close();
      for (const session of sessions) session.destroy();
    },
  };
}

function methodOf(path: string) {
  const [, serviceName = '', name] = path.split('/');
  const method = engineApiRegistry()
    .getService(serviceName)
    ?.methods.find((each) => each.name === name);
  if (method === undefined) throw new Error(`no method ${path}`);
  return method;
}

function trailersOf({ status = 0, message = '', details }: EngineAnswer): Record<string, string> {
  const ends: Record<string, string> = { 'grpc-status': String(status) };
  if (message !== '') ends['grpc-message'] = encodeGrpcMessage(message);
  const type = engineApiRegistry().getMessage('google.rpc.Status');
  if (details === undefined || type === undefined) return ends;
  const value = fromJson(type, details as JsonValue, { registry: engineApiRegistry() });
  ends['grpc-status-details-bin'] = Buffer.from(toBinary(type, value)).toString('base64');
  return ends;
}

async function listen(server: Http2SecureServer): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}
