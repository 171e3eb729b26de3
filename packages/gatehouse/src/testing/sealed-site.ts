import { randomBytes } from 'node:crypto';
import { createNamespaceKeyring, type NamespaceKeyring } from '#base/crypto/namespace-keyring';
import { Secret } from '#base/crypto/secret';
import { createTokenKeyring } from '#base/crypto/token-keyring';
import type { AuditEvent } from '#base/model/audit-event';
import type { NamespaceRecord } from '#base/model/namespace-record';
import { systemClock } from '#base/runtime/clock';
import { silentLog } from '#base/runtime/log';
import { startGateway } from '#planes/gateway/start-gateway';
import { openRawClient, type RawAnswer, type RawClient } from './grpc-client.ts';
import { memoryAudit } from './memory-audit.ts';
import { type ScriptedEngine, startScriptedEngine } from './scripted-engine.ts';
import { hostOf, makeTwoTenants, type Tenant } from './two-tenants.ts';

export { NEIGHBOUR, TENANT } from './two-tenants.ts';

/** The real gateway, sealing for two tenants with keys of their own, in front of an engine that answers as a test says. */
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

interface SealedTenant extends Tenant {
  record: NamespaceRecord;
  readonly keyring: NamespaceKeyring;
  hasKeys: boolean;
}

export async function startSealedSite(): Promise<SealedSite> {
  const parties = await makeTwoTenants({
    nexusEndpoints: ['payments'],
    sealing: 'on',
    // Tests ask faster than tenants may.
    limits: { callsPerSecond: 1_000_000, visibilityPerSecond: 100_000, managementPerSecond: 10_000 },
  });
  const tenants = parties.tenants.map(
    (tenant): SealedTenant => ({ ...tenant, keyring: makeKeyring(tenant.record), hasKeys: true }),
  );
  const tenantOf = (id: string): SealedTenant => {
    const found = tenants.find((tenant) => tenant.id === id);
    if (found === undefined) throw new Error(`no tenant ${id}`);
    return found;
  };
  const engine = await startScriptedEngine(parties.engineTls);
  const events: AuditEvent[] = [];
  const tokenKeys = createTokenKeyring([{ id: 1, createdAtMs: 0, key: new Secret(Buffer.alloc(32, 7)) }]);
  const gateway = await startGateway({
    grpc: { host: '127.0.0.1', port: 0 },
    ...parties.gateway,
    allowTls12: false,
    nexusEnabled: true,
    directory: {
      snapshot: () => ({
        revision: 1,
        confirmedAtMs: parties.madeAtMs,
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
      target: () => parties.engineTarget(engine.port),
      mintToken: (id, role) => `Bearer ${id} ${role}`,
      healthy: () => true,
    },
    audit: memoryAudit((event) => events.push(event)),
    clock: systemClock,
    log: silentLog,
  });
  const endpoint = parties.endpoint(gateway.grpc.port);
  const clients = new Map<string, RawClient>();
  return {
    engine,
    events,
    open(id) {
      let client = clients.get(id);
      if (client === undefined) {
        client = openRawClient({ endpoint, certificateOf: id, serverName: hostOf(id) });
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
      parties.close();
    },
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
