import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { EndpointFile, EndpointNamespace } from '#app/endpoint-file';
import type { NamespaceRecord } from '#base/model/namespace-record';
import { generateCa, generateInternalCa, generateLeaf, generateServiceCertificate } from '#base/pki/generate';
import type { EngineTarget } from '#core/engine/engine-pool';
import type { GatewayOptions } from '#planes/gateway/start-gateway';
import { namespaceRecord } from './namespace-record.ts';
import type { ScriptedEngineTls } from './scripted-engine.ts';

const DOMAIN = 'gatehouse.test';
const REGION = 'aws-local';
const DAY_MS = 86_400_000;
/** Two tenants of one engine, who know nothing of each other. */
export const TENANT = 'orders.acme1';
export const NEIGHBOUR = 'billing.other1';

export interface Tenant extends EndpointNamespace {
  readonly record: NamespaceRecord;
}

/** Everything that a gateway for two tenants, its clients and its engine need to know each other by. */
export interface TwoTenants {
  readonly tenants: readonly Tenant[];
  readonly madeAtMs: number;
  /** What the gateway is told of itself. */
  readonly gateway: Pick<GatewayOptions, 'domain' | 'region' | 'identity' | 'decoyCaPem'>;
  /** What the engine shows, and whom it lets in. */
  readonly engineTls: ScriptedEngineTls;
  engineTarget(port: number): EngineTarget;
  /** Where clients find the gateway. */
  endpoint(grpcPort: number): EndpointFile;
  /** Removes the certificates of the clients. */
  close(): void;
}

/** @param chosen what both records have beside what is usual. */
export async function makeTwoTenants(chosen: Partial<NamespaceRecord> = {}): Promise<TwoTenants> {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-tenants-'));
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
  const ids = [TENANT, NEIGHBOUR];
  const [server, frontend, toEngine] = await Promise.all([
    issue('gateway', ids.map(hostOf), 'serverAuth'),
    issue('engine', ['engine.test'], 'serverAuth'),
    issue('gateway', ['gateway'], 'clientAuth'),
  ]);
  const tenants = await Promise.all(
    ids.map(async (id, index) => {
      const { caBundlePem, ...files } = await certify(folder, id, nowMs);
      const uuid = (last: string): string => `${index}0000000-0000-4000-8000-00000000000${last}`;
      const own = { id, uuid: uuid('a'), engineId: uuid('e'), region: REGION, caBundlePem };
      return { id, host: hostOf(id), ...files, record: namespaceRecord({ ...own, ...chosen }) };
    }),
  );
  const serverCa = join(folder, 'server-ca.pem');
  writeFileSync(serverCa, internal.certificatePem);
  return {
    tenants,
    madeAtMs: nowMs,
    gateway: {
      domain: DOMAIN,
      region: REGION,
      identity: { certificate: server.certificatePem, privateKey: server.privateKeyPem },
      decoyCaPem: internal.certificatePem,
    },
    engineTls: {
      cert: frontend.certificatePem,
      key: frontend.privateKeyPem,
      clientCa: internal.certificatePem,
    },
    engineTarget: (port) => ({
      host: '127.0.0.1',
      port,
      serverName: 'engine.test',
      tls: { ca: internal.certificatePem, cert: toEngine.certificatePem, key: toEngine.privateKeyPem },
    }),
    endpoint: (grpcPort) => endpointOf(serverCa, `127.0.0.1:${grpcPort}`, tenants),
    close: () => rmSync(folder, { recursive: true, force: true }),
  };
}

export function hostOf(namespaceId: string): string {
  return `${namespaceId}.${DOMAIN}`;
}

/** A CA of the tenant's own, and a client certificate of it. */
async function certify(
  folder: string,
  id: string,
  nowMs: number,
): Promise<{ readonly caBundlePem: string; readonly clientCert: string; readonly clientKey: string }> {
  const organization = id.slice(id.indexOf('.') + 1);
  const ca = await generateCa({ organization, validityMs: 30 * DAY_MS, nowMs });
  const { certificatePem: caPem, privateKeyPem: caKeyPem } = ca;
  const leaf = await generateLeaf({ caPem, caKeyPem, organization, nowMs });
  const [clientCert, clientKey] = [join(folder, `${id}.pem`), join(folder, `${id}.key`)];
  writeFileSync(clientCert, leaf.certificatePem);
  writeFileSync(clientKey, leaf.privateKeyPem, { mode: 0o600 });
  return { caBundlePem: caPem, clientCert, clientKey };
}

function endpointOf(serverCa: string, grpc: string, namespaces: readonly EndpointNamespace[]): EndpointFile {
  const absent = { https: null, control: null, console: null, metrics: null, apiKeyFile: null };
  return { account: 'acme1', domain: DOMAIN, region: REGION, serverCa, grpc, namespaces, ...absent };
}
