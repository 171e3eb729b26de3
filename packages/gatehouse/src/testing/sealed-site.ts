import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { EndpointFile, EndpointNamespace } from '#app/endpoint-file';
import { createNamespaceKeyring, type NamespaceKeyring } from '#base/crypto/namespace-keyring';
import { Secret } from '#base/crypto/secret';
import { createTokenKeyring } from '#base/crypto/token-keyring';
import type { AuditEvent } from '#base/model/audit-event';
import type { NamespaceRecord } from '#base/model/namespace-record';
import { generateCa, generateInternalCa, generateLeaf, generateServiceCertificate } from '#base/pki/generate';
import { systemClock } from '#base/runtime/clock';
import { silentLog } from '#base/runtime/log';
import type { AuditWriter } from '#core/audit/audit-writer';
import { startGateway } from '#planes/gateway/start-gateway';
import { openRawClient, type RawAnswer, type RawClient } from './grpc-client.ts';
import { namespaceRecord } from './namespace-record.ts';
import { type ScriptedEngine, startScriptedEngine } from './scripted-engine.ts';

const DOMAIN = 'gatehouse.test';
const REGION = 'aws-local';
const DAY_MS = 86_400_000;
/** Two tenants of one engine, each with keys of his own. */
export const TENANT = 'orders.acme1';
export const NEIGHBOUR = 'billing.other1';

/** The real gateway, sealing for two tenants, in front of an engine that answers as a test says. */
export interface SealedSite {
  readonly engine: ScriptedEngine;
  readonly events: readonly AuditEvent[];
  /** A client of this namespace, kept open with the site. */
  open(namespaceId: string): RawClient;
  keyring(namespaceId: string): NamespaceKeyring;
  /** Other settings from the next call on. Without keys a namespace has none, whatever its settings. */
  change(namespaceId: string, changes: Partial<NamespaceRecord>, keys?: 'with-keys' | 'without-keys'): void;
  /** Runs one call and waits for its record: callers may hear of the end of a call before it is written. */
  recorded(
    work: () => Promise<RawAnswer>,
  ): Promise<{ readonly answer: RawAnswer; readonly event: AuditEvent }>;
  close(): Promise<void>;
}

interface Tenant extends EndpointNamespace {
  record: NamespaceRecord;
  readonly keyring: NamespaceKeyring;
  hasKeys: boolean;
}

export async function startSealedSite(): Promise<SealedSite> {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-sealed-'));
  const nowMs = Date.now();
  const internal = await generateInternalCa({ commonName: 'test', validityMs: 30 * DAY_MS, nowMs });
  const issue = (commonName: string, dnsNames: string[], usage: 'serverAuth' | 'clientAuth') =>
    generateServiceCertificate({
      ca: internal,
      commonName,
      dnsNames,
      usages: [usage],
      validityMs: DAY_MS,
      nowMs,
    });
  const hosts = [TENANT, NEIGHBOUR].map((id) => `${id}.${DOMAIN}`);
  const [server, frontend, gatewayLeaf] = await Promise.all([
    issue('gateway', hosts, 'serverAuth'),
    issue('engine', ['engine.test'], 'serverAuth'),
    issue('gateway', ['gateway'], 'clientAuth'),
  ]);
  const tenants = await Promise.all(
    [TENANT, NEIGHBOUR].map((id, index) => makeTenant(folder, id, index, nowMs)),
  );
  const tenantOf = (id: string): Tenant => {
    const found = tenants.find((tenant) => tenant.id === id);
    if (found === undefined) throw new Error(`no tenant ${id}`);
    return found;
  };
  const engine = await startScriptedEngine({
    cert: frontend.certificatePem,
    key: frontend.privateKeyPem,
    clientCa: internal.certificatePem,
  });
  const events: AuditEvent[] = [];
  const tokenKeys = createTokenKeyring([{ id: 1, createdAtMs: 0, key: new Secret(Buffer.alloc(32, 7)) }]);
  const gateway = await startGateway({
    grpc: { host: '127.0.0.1', port: 0 },
    domain: DOMAIN,
    region: REGION,
    identity: { certificate: server.certificatePem, privateKey: server.privateKeyPem },
    decoyCaPem: internal.certificatePem,
    allowTls12: false,
    nexusEnabled: true,
    directory: {
      snapshot: () => ({
        revision: 1,
        confirmedAtMs: nowMs,
        namespaces: new Map(tenants.map(({ record }) => [record.id, record])),
      }),
      state: () => 'current',
      tokenKeys: () => tokenKeys,
      onChange: () => () => undefined,
    },
    sealing: {
      keysFor: ({ id }) => (tenantOf(id).hasKeys ? tenantOf(id).keyring : undefined),
      peer: () => undefined,
      load: () => Promise.resolve(false),
    },
    engine: {
      target: () => ({
        host: '127.0.0.1',
        port: engine.port,
        serverName: 'engine.test',
        tls: {
          ca: internal.certificatePem,
          cert: gatewayLeaf.certificatePem,
          key: gatewayLeaf.privateKeyPem,
        },
      }),
      mintToken: (id, role) => `Bearer ${id} ${role}`,
      healthy: () => true,
    },
    audit: memoryAudit(events),
    clock: systemClock,
    log: silentLog,
  });
  const serverCa = join(folder, 'server-ca.pem');
  writeFileSync(serverCa, internal.certificatePem);
  const endpoint = endpointOf(serverCa, `127.0.0.1:${gateway.grpc.port}`, tenants);
  const clients = new Map<string, RawClient>();
  return {
    engine,
    events,
    open(id) {
      let client = clients.get(id);
      if (client === undefined) {
        client = openRawClient({ endpoint, certificateOf: id, serverName: `${id}.${DOMAIN}` });
        clients.set(id, client);
      }
      return client;
    },
    keyring: (id) => tenantOf(id).keyring,
    change(id, changes, keys = 'with-keys') {
      const tenant = tenantOf(id);
      tenant.record = Object.freeze({ ...tenant.record, ...changes });
      tenant.hasKeys = keys === 'with-keys';
    },
    async recorded(work) {
      const before = events.length;
      const answer = await work();
      const endsAt = performance.now() + 2000;
      while (events.length === before && performance.now() < endsAt)
        await new Promise((resolve) => setImmediate(resolve));
      const event = events[before];
      if (event === undefined) throw new Error('the call was not recorded');
      return { answer, event };
    },
    async close() {
      for (const client of clients.values()) client.close();
      await gateway.drain(0);
      engine.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function makeTenant(folder: string, id: string, index: number, nowMs: number): Promise<Tenant> {
  const account = id.slice(id.indexOf('.') + 1);
  const ca = await generateCa({ organization: account, validityMs: 30 * DAY_MS, nowMs });
  const leaf = await generateLeaf({
    caPem: ca.certificatePem,
    caKeyPem: ca.privateKeyPem,
    organization: account,
    nowMs,
  });
  const clientCert = join(folder, `${id}.pem`);
  const clientKey = join(folder, `${id}.key`);
  writeFileSync(clientCert, leaf.certificatePem);
  writeFileSync(clientKey, leaf.privateKeyPem, { mode: 0o600 });
  const record = namespaceRecord({
    id,
    uuid: `${index}0000000-0000-4000-8000-00000000000a`,
    region: REGION,
    engineId: `${index}0000000-0000-4000-8000-00000000000e`,
    caBundlePem: ca.certificatePem,
    nexusEndpoints: ['payments'],
    sealing: 'on',
    // Tests ask faster than tenants may.
    limits: { callsPerSecond: 1_000_000, visibilityPerSecond: 100_000, managementPerSecond: 10_000 },
  });
  return {
    id,
    host: `${id}.${DOMAIN}`,
    clientCert,
    clientKey,
    record,
    keyring: makeKeyring(record),
    hasKeys: true,
  };
}

function makeKeyring({ region, account, uuid: namespaceUuid }: NamespaceRecord): NamespaceKeyring {
  const keys = (['payload', 'attribute'] as const).map((purpose) => ({
    id: randomBytes(8).toString('hex'),
    purpose,
    createdAtMs: 1,
    key: new Secret(randomBytes(32)),
  }));
  return createNamespaceKeyring({ region, account, namespaceUuid }, keys);
}

function endpointOf(serverCa: string, grpc: string, namespaces: readonly EndpointNamespace[]): EndpointFile {
  const absent = { https: null, control: null, console: null, metrics: null, apiKeyFile: null };
  return { account: 'acme1', domain: DOMAIN, region: REGION, serverCa, grpc, namespaces, ...absent };
}

function memoryAudit(events: AuditEvent[]): AuditWriter {
  return {
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
  };
}
