// Run as a process of its own: the gateway that is attacked, in front of an engine that answers OK to everything.
// What it holds in memory can be asked for, and a crash of it is seen.

import { createSecureServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { Secret } from '../../packages/gatehouse/src/base/crypto/secret.ts';
import { createTokenKeyring } from '../../packages/gatehouse/src/base/crypto/token-keyring.ts';
import type { AuditEvent } from '../../packages/gatehouse/src/base/model/audit-event.ts';
import { defaultLimits } from '../../packages/gatehouse/src/base/model/limits.ts';
import {
  generateCa,
  generateInternalCa,
  generateLeaf,
  generateServiceCertificate,
} from '../../packages/gatehouse/src/base/pki/generate.ts';
import { systemClock } from '../../packages/gatehouse/src/base/runtime/clock.ts';
import { createLog } from '../../packages/gatehouse/src/base/runtime/log.ts';
import { toFrame } from '../../packages/gatehouse/src/base/wire/grpc-message.ts';
import { startGateway } from '../../packages/gatehouse/src/planes/gateway/start-gateway.ts';
import { memoryAudit } from '../../packages/gatehouse/src/testing/memory-audit.ts';
import { namespaceRecord } from '../../packages/gatehouse/src/testing/namespace-record.ts';
import { noSealing } from '../../packages/gatehouse/src/testing/no-sealing.ts';
import type { GatewayStarted, GatewayState, ToGateway } from './h2-site.ts';

const DOMAIN = 'gatehouse.test';
const DAY_MS = 86_400_000;
const nowMs = Date.now();
const tenants = ['orders.acme1', 'billing.other1'];

const internal = await generateInternalCa({ commonName: 'test', validityMs: 30 * DAY_MS, nowMs });
const issue = (name: string, dnsNames: string[], usage: 'serverAuth' | 'clientAuth') =>
  generateServiceCertificate({
    ca: internal,
    commonName: name,
    dnsNames,
    usages: [usage],
    validityMs: DAY_MS,
    nowMs,
  });
const server = await issue(
  'gateway',
  tenants.map((id) => `${id}.${DOMAIN}`),
  'serverAuth',
);
const frontend = await issue('engine', ['engine.test'], 'serverAuth');
const gatewayLeaf = await issue('gateway', ['gateway'], 'clientAuth');
const ca = await generateCa({ organization: 'acme', validityMs: 30 * DAY_MS, nowMs });
const leaf = await generateLeaf({
  caPem: ca.certificatePem,
  caKeyPem: ca.privateKeyPem,
  organization: 'acme',
  nowMs,
});
const allowTls12 = process.argv.includes('--tls12');
const records = tenants.map((id, index) =>
  namespaceRecord({
    id,
    uuid: `${index}0000000-0000-4000-8000-00000000000a`,
    engineId: `${index}0000000-0000-4000-8000-00000000000e`,
    caBundlePem: ca.certificatePem,
    // The neighbour does not allow it: the platform does.
    allowTls12: allowTls12 && index === 0,
    // Limits of namespaces have suites of their own; here they would hide what is looked at.
    limits: { callsPerSecond: 1_000_000, connections: 100_000 },
  }),
);
/** What reached the engine, and what of it waits there. Bodies are not kept: memory is one of the things measured. */
const noReply = toFrame(Buffer.alloc(0));
const engine = { seen: 0, open: 0, reply: noReply };
let passedMs = 0;
const engineServer = createSecureServer({
  cert: frontend.certificatePem,
  key: frontend.privateKeyPem,
  ca: internal.certificatePem,
  requestCert: true,
  rejectUnauthorized: true,
  minVersion: 'TLSv1.3',
  // Answers of any number and size.
  maxSessionMemory: 2000,
});
engineServer.on('stream', (stream, headers) => {
  engine.seen += 1;
  engine.open += 1;
  stream.on('close', () => {
    engine.open -= 1;
  });
  stream.on('error', () => undefined);
  stream.on('end', () => {
    const method = String(headers[':path']).split('/').at(-1) ?? '';
    // A poll is answered when there is something to do: here never.
    if (method.startsWith('Poll') || stream.destroyed) return;
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.end(method === 'GetSystemInfo' ? engine.reply : noReply);
  });
  stream.resume();
});
await new Promise<void>((resolve) => engineServer.listen(0, '127.0.0.1', resolve));
const { port: enginePort } = engineServer.address() as AddressInfo;

/** A GetSystemInfoResponse whose `server_version` has so many bytes. */
function serverVersion(bytes: number): Buffer {
  if (bytes === 0) return Buffer.alloc(0);
  const length: number[] = [];
  let rest = bytes;
  for (; rest >= 128; rest >>>= 7) length.push((rest & 127) | 128);
  length.push(rest);
  return Buffer.concat([Buffer.of(0x0a), Buffer.from(length), Buffer.alloc(bytes, 'x')]);
}

let counts: Record<string, number> = {};
const calls: AuditEvent[] = [];
const connections: AuditEvent[] = [];
const keyring = createTokenKeyring([{ id: 1, createdAtMs: 0, key: new Secret(Buffer.alloc(32, 7)) }]);
const errors: string[] = [];
const gateway = await startGateway({
  grpc: { host: '127.0.0.1', port: 0 },
  https: { host: '127.0.0.1', port: 0 },
  domain: DOMAIN,
  region: 'aws-local',
  identity: { certificate: server.certificatePem, privateKey: server.privateKeyPem },
  decoyCaPem: internal.certificatePem,
  allowTls12,
  nexusEnabled: false,
  limits: {
    ...defaultLimits,
    source: {
      ...defaultLimits.source,
      connectionsPerSecond: 100_000,
      connectionsBurst: 100_000,
      pendingHandshakes: 100_000,
    },
  },
  directory: {
    snapshot: () => ({
      revision: 1,
      confirmedAtMs: nowMs,
      namespaces: new Map(records.map((record) => [record.id, record])),
    }),
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
      tls: { ca: internal.certificatePem, cert: gatewayLeaf.certificatePem, key: gatewayLeaf.privateKeyPem },
    }),
    mintToken: (id, role) => `Bearer ${id} ${role}`,
    healthy: () => true,
  },
  audit: memoryAudit(keep),
  // A test may let time pass.
  clock: { now: () => systemClock.now(), monotonicMs: () => systemClock.monotonicMs() + passedMs },
  log: createLog({ level: 'error', write: (line) => errors.push(line) }),
});

/** Records are counted by kind, outcome and reason, and the last few kept: memory is one of the things measured. */
function keep(event: AuditEvent): void {
  const key = `${event.kind} ${event.outcome} ${event.reason}`;
  counts[key] = (counts[key] ?? 0) + event.count;
  const last = event.kind === 'call' ? calls : connections;
  last.push(event);
  if (last.length > 100) last.shift();
}

function stateNow(): GatewayState {
  globalThis.gc?.();
  const { heapUsed, external, rss } = process.memoryUsage();
  return {
    counts,
    events: [...calls, ...connections],
    errors,
    engineSaw: engine.seen,
    engineOpen: engine.open,
    connections: gateway.openConnections(),
    heapBytes: heapUsed + external,
    rssBytes: rss,
    cpuMs: (process.cpuUsage().user + process.cpuUsage().system) / 1000,
  };
}

process.on('message', (message: ToGateway) => {
  if (message.replyBytes !== undefined) engine.reply = toFrame(serverVersion(message.replyBytes));
  passedMs += message.passMs ?? 0;
  if (message.reset === true) {
    counts = {};
    calls.length = 0;
    connections.length = 0;
    engine.seen = 0;
  }
  process.send?.({ id: message.id, state: stateNow() });
});
process.on('disconnect', () => process.exit(0));

const started: GatewayStarted = {
  grpc: gateway.grpc.port,
  https: gateway.https?.port ?? 0,
  domain: DOMAIN,
  serverCa: internal.certificatePem,
  cert: leaf.certificatePem,
  key: leaf.privateKeyPem,
  strangerCert: gatewayLeaf.certificatePem,
  strangerKey: gatewayLeaf.privateKeyPem,
};
process.send?.({ started });
