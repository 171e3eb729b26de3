import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { EndpointFile, EndpointNamespace } from '#app/endpoint-file';
import { Secret } from '#base/crypto/secret';
import { createTokenKeyring, type TokenKeyring } from '#base/crypto/token-keyring';
import type { AuditEvent } from '#base/model/audit-event';
import { GrpcStatus } from '#base/model/grpc-status';
import type { DirectorySnapshot, NamespaceRecord } from '#base/model/namespace-record';
import { type RefusalCode, refusals } from '#base/model/refusals';
import { generateCa, generateInternalCa, generateLeaf, generateServiceCertificate } from '#base/pki/generate';
import { systemClock } from '#base/runtime/clock';
import { createLog } from '#base/runtime/log';
import type { AuditWriter } from '#core/audit/audit-writer';
import { startGateway } from '#planes/gateway/start-gateway';
import { openRawClient, type RawAnswer, type RawClient } from './grpc-client.ts';
import { namespaceRecord } from './namespace-record.ts';
import { noSealing } from './no-sealing.ts';
import { type ScriptedEngine, startScriptedEngine } from './scripted-engine.ts';

const DOMAIN = 'gatehouse.test';
const REGION = 'aws-local';
const DAY_MS = 86_400_000;
/** Two tenants of one engine, who know nothing of each other. */
export const TENANT = 'orders.acme1';
export const NEIGHBOUR = 'billing.other1';

/** What the gateway asks of the parts around it: a test may have one of them throw (F-22). */
export type AskedPart = 'snapshot' | 'tokenKeys' | 'keysFor' | 'target' | 'mintToken' | 'writable' | 'append';

/** The real gateway with two tenants, in front of an engine that answers as a test says. */
export interface ScriptedSite {
  readonly engine: ScriptedEngine;
  readonly snapshot: DirectorySnapshot;
  readonly logLines: readonly string[];
  /** The keys that bind tokens: a test may put others in their place. */
  tokenKeys: TokenKeyring;
  /** What the directory says of its snapshot; `current` at first. */
  directoryState: 'current' | 'detached' | 'expired';
  /** Told of each question to the parts around the gateway, before it is answered; it may throw. */
  onAsked: (part: AskedPart) => void;
  /** Where the gateway looks for the engine when it connects next. */
  enginePort: number;
  readonly endpoint: EndpointFile;
  openConnections(): number;
  /** Everything that was recorded so far. */
  readonly events: readonly AuditEvent[];
  /** A client with the certificate of this namespace, at its host. */
  open(namespaceId: string): RawClient;
  record(namespaceId: string): NamespaceRecord;
  /** Runs one call. @returns its answer, its one record (+A), and how many requests the engine saw of it. */
  observe(work: () => Promise<RawAnswer>): Promise<Observed>;
  /** Runs one call that must be refused: wire answer, exactly one record, and nothing at the engine (+0). */
  refuses(code: RefusalCode, work: () => Promise<RawAnswer>): Promise<Observed>;
  close(): Promise<void>;
}

export interface Observed {
  readonly answer: RawAnswer;
  readonly event: AuditEvent;
  readonly engineSaw: number;
}

/** @param link puts something between gateway and engine: given the engine's port, says where to dial instead. */
export async function startScriptedSite(
  link?: (enginePort: number) => Promise<number>,
): Promise<ScriptedSite> {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-scripted-'));
  const nowMs = Date.now();
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
  const hosts = [TENANT, NEIGHBOUR].map((id) => `${id}.${DOMAIN}`);
  const [server, frontend, gatewayLeaf] = await Promise.all([
    issue('gateway', hosts, 'serverAuth'),
    issue('engine', ['engine.test'], 'serverAuth'),
    issue('gateway', ['gateway'], 'clientAuth'),
  ]);
  const tenants = await Promise.all(
    [TENANT, NEIGHBOUR].map((id, index) => makeTenant(folder, id, index, nowMs)),
  );
  const snapshot: DirectorySnapshot = {
    revision: 1,
    confirmedAtMs: nowMs,
    namespaces: new Map(tenants.map(({ record }) => [record.id, record])),
  };
  const engine = await startScriptedEngine({
    cert: frontend.certificatePem,
    key: frontend.privateKeyPem,
    clientCa: internal.certificatePem,
  });
  const events: AuditEvent[] = [];
  let enginePort = (await link?.(engine.port)) ?? engine.port;
  let onAsked: ScriptedSite['onAsked'] = () => undefined;
  const asked: Asked =
    (part, answer) =>
    (...question) => {
      onAsked(part);
      return answer(...question);
    };
  const logLines: string[] = [];
  const gateway = await startGateway({
    grpc: { host: '127.0.0.1', port: 0 },
    domain: DOMAIN,
    region: REGION,
    identity: { certificate: server.certificatePem, privateKey: server.privateKeyPem },
    decoyCaPem: internal.certificatePem,
    allowTls12: false,
    nexusEnabled: false,
    directory: {
      snapshot: asked('snapshot', () => snapshot),
      state: () => site.directoryState,
      tokenKeys: asked('tokenKeys', () => site.tokenKeys),
      onChange: () => () => undefined,
    },
    sealing: { ...noSealing, keysFor: asked('keysFor', noSealing.keysFor) },
    engine: {
      target: asked('target', () => ({
        host: '127.0.0.1',
        port: enginePort,
        serverName: 'engine.test',
        tls: {
          ca: internal.certificatePem,
          cert: gatewayLeaf.certificatePem,
          key: gatewayLeaf.privateKeyPem,
        },
      })),
      mintToken: asked('mintToken', (id, role) => `Bearer ${id} ${role}`),
      healthy: () => true,
    },
    audit: memoryAudit(events, asked),
    clock: systemClock,
    log: createLog({ level: 'debug', write: (line) => logLines.push(line) }),
  });
  const serverCa = join(folder, 'server-ca.pem');
  writeFileSync(serverCa, internal.certificatePem);
  const endpoint = endpointOf(serverCa, `127.0.0.1:${gateway.grpc.port}`, tenants);
  const clients: RawClient[] = [];
  const site: ScriptedSite = {
    engine,
    snapshot,
    logLines,
    directoryState: 'current',
    get enginePort() {
      return enginePort;
    },
    set enginePort(next) {
      enginePort = next;
    },
    endpoint,
    openConnections: () => gateway.openConnections(),
    events,
    get onAsked() {
      return onAsked;
    },
    set onAsked(next) {
      onAsked = next;
    },
    tokenKeys: createTokenKeyring([{ id: 1, createdAtMs: 0, key: new Secret(Buffer.alloc(32, 7)) }]),
    open(namespaceId) {
      const client = openRawClient({
        endpoint,
        certificateOf: namespaceId,
        serverName: `${namespaceId}.${DOMAIN}`,
      });
      clients.push(client);
      return client;
    },
    record(namespaceId) {
      const record = snapshot.namespaces.get(namespaceId);
      assert.ok(record);
      return record;
    },
    observe: (work) => observe(events, engine, work),
    async refuses(code, work) {
      const observed = await observe(events, engine, work);
      const { status, message } = observed.answer;
      const row = refusals[code];
      assert.deepEqual(
        [status, message.startsWith(row.text)],
        [GrpcStatus[row.grpc], true],
        `${code}: ${status} ${message}`,
      );
      assert.deepEqual([observed.event.outcome, observed.event.reason], ['refused', code]);
      assert.equal(observed.event.severity, row.severity);
      assert.equal(observed.engineSaw, 0, 'what the engine saw of a refused call');
      return observed;
    },
    async close() {
      for (const client of clients) client.close();
      await gateway.drain(0);
      engine.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return site;
}

/** Puts `onAsked` before an answer. */
type Asked = <Question extends unknown[], Answer>(
  part: AskedPart,
  answer: (...question: Question) => Answer,
) => (...question: Question) => Answer;

interface Tenant extends EndpointNamespace {
  readonly record: NamespaceRecord;
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
  });
  return { id, host: `${id}.${DOMAIN}`, clientCert, clientKey, record };
}

function endpointOf(serverCa: string, grpc: string, namespaces: readonly EndpointNamespace[]): EndpointFile {
  const absent = { https: null, control: null, console: null, metrics: null, apiKeyFile: null };
  return { account: 'acme1', domain: DOMAIN, region: REGION, serverCa, grpc, namespaces, ...absent };
}

/** Waits for the record: the caller may hear of the end of a call before it is written down. */
async function observe(
  events: readonly AuditEvent[],
  engine: ScriptedEngine,
  work: () => Promise<RawAnswer>,
): Promise<Observed> {
  const before = { events: events.length, seen: engine.seen.length };
  const answer = await work();
  for (
    const endsAt = performance.now() + 2000;
    events.length === before.events && performance.now() < endsAt;
  ) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  const [event, ...more] = events.slice(before.events);
  assert.ok(event, 'a record of the call');
  assert.deepEqual(more, [], 'one record of the call');
  assert.equal(event.requestId, answer.headers['gatehouse-request-id']);
  return { answer, event, engineSaw: engine.seen.length - before.seen };
}

function memoryAudit(events: AuditEvent[], asked: Asked): AuditWriter {
  return {
    append: asked('append', (event: AuditEvent) => {
      events.push(event);
    }),
    appendStrict: asked('append', async (event: AuditEvent) => {
      events.push(event);
    }),
    writable: asked('writable', () => true),
    flush: async () => undefined,
    close: async () => undefined,
    stats: () => {
      throw new Error('not asked for here');
    },
  };
}
