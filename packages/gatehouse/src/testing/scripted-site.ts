import assert from 'node:assert/strict';
import type { EndpointFile } from '#app/endpoint-file';
import { Secret } from '#base/crypto/secret';
import { createTokenKeyring, type TokenKeyring } from '#base/crypto/token-keyring';
import type { AuditEvent } from '#base/model/audit-event';
import { GrpcStatus } from '#base/model/grpc-status';
import type { DirectorySnapshot, NamespaceRecord } from '#base/model/namespace-record';
import { type RefusalCode, refusals } from '#base/model/refusals';
import { systemClock } from '#base/runtime/clock';
import { createLog } from '#base/runtime/log';
import { startGateway } from '#planes/gateway/start-gateway';
import { openRawClient, type RawAnswer, type RawClient } from './grpc-client.ts';
import { memoryAudit } from './memory-audit.ts';
import { noSealing } from './no-sealing.ts';
import { type ScriptedEngine, startScriptedEngine } from './scripted-engine.ts';
import { hostOf, makeTwoTenants } from './two-tenants.ts';

export { NEIGHBOUR, TENANT } from './two-tenants.ts';

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
  const parties = await makeTwoTenants();
  const { tenants } = parties;
  const snapshot: DirectorySnapshot = {
    revision: 1,
    confirmedAtMs: parties.madeAtMs,
    namespaces: new Map(tenants.map(({ record }) => [record.id, record])),
  };
  const engine = await startScriptedEngine(parties.engineTls);
  const events: AuditEvent[] = [];
  let enginePort = (await link?.(engine.port)) ?? engine.port;
  let onAsked: ScriptedSite['onAsked'] = () => undefined;
  const asked: Asked =
    (part, answer) =>
    (...question) => {
      onAsked(part);
      return answer(...question);
    };
  const audit = memoryAudit((event) => events.push(event));
  const logLines: string[] = [];
  const gateway = await startGateway({
    grpc: { host: '127.0.0.1', port: 0 },
    ...parties.gateway,
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
      target: asked('target', () => parties.engineTarget(enginePort)),
      mintToken: asked('mintToken', (id, role) => `Bearer ${id} ${role}`),
      healthy: () => true,
    },
    audit: {
      ...audit,
      append: asked('append', audit.append),
      appendStrict: asked('append', audit.appendStrict),
      writable: asked('writable', audit.writable),
    },
    clock: systemClock,
    log: createLog({ level: 'debug', write: (line) => logLines.push(line) }),
  });
  const endpoint = parties.endpoint(gateway.grpc.port);
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
        serverName: hostOf(namespaceId),
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
      parties.close();
    },
  };
  return site;
}

/** Puts `onAsked` before an answer. */
type Asked = <Question extends unknown[], Answer>(
  part: AskedPart,
  answer: (...question: Question) => Answer,
) => (...question: Question) => Answer;

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
