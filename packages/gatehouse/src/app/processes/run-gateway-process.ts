import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openLocalKms } from '#base/crypto/local-kms';
import { type Clock, systemClock } from '#base/runtime/clock';
import { createLog, type Log } from '#base/runtime/log';
import { openDirectory } from '#base/store/open-directory';
import type { TcpConnection } from '#base/wire/tcp-door';
import { openAuditSigningKey } from '#core/audit/audit-signing-key';
import { type AuditWriter, openAuditWriter } from '#core/audit/audit-writer';
import { chainOfProcess } from '#core/audit/chains';
import { openAuditDataKeys } from '#core/audit/fields/audit-data-keys';
import { type Gateway, startGateway } from '#planes/gateway/start-gateway';
import { engineForGateway } from '../called-engine.ts';
import { type Home, homeAt } from '../home.ts';
import { openKmsKeys } from '../kms-keys.ts';
import { openHeldKeys } from '../open-sealing.ts';
import { createToldEngine, type ToldEngine } from './engine-facts.ts';
import type { GatewaySpec } from './gateway-spec.ts';
import { type FromProcess, readMessage, TICK_MS, type ToProcess } from './messages.ts';
import { type ReceivedConnections, receiveConnections } from './received-connections.ts';

/** How long an orphan may take to put its last records on disk: its home may be started again any moment. */
const ORPHAN_MS = 1000;
/** How long handshakes that are under way at a drain may still take. */
const SETTLE_MS = 2000;

/**
 * The life of one gateway process, started by the supervisor. Ends when it is told to drain, and at once where the
 * supervisor has gone: nobody would then keep its directory, its engine and its home.
 */
export async function runGatewayProcess(): Promise<void> {
  if (process.send === undefined) throw new Error('this command is for `gatehouse up` and `serve` alone');
  // The supervisor decides when we end, also where a terminal or a service manager tells all at once.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR2'] as const)
    process.on(signal, () => undefined);
  const log = createLog({ level: 'debug', write: (line) => process.stderr.write(line) });
  let serving: Serving | undefined;
  let isOver = false;
  const end = async (): Promise<void> => {
    if (isOver) return;
    isOver = true;
    await serving?.close().catch((error: unknown) => log.error('a part did not close', { error }));
    process.exit();
  };
  process.once('disconnect', () => {
    setTimeout(() => process.exit(1), ORPHAN_MS).unref();
    void (serving?.gateway.drain(0) ?? Promise.resolve()).then(end, end);
  });
  process.on('message', (text: string, connection: unknown) => {
    const message = readMessage(text);
    if (message.kind === 'start') {
      start(message.spec, log).then(
        (started) => {
          serving = started;
          tell({ kind: 'ready' });
        },
        (error: unknown) => fail(error, log),
      );
      return;
    }
    // What comes before `ready` is told again after it.
    if (serving === undefined) return;
    obey(serving, message, connection as TcpConnection | undefined, end).catch((error: unknown) => {
      // What was in force stays so; all processes ending of one message would be worse than any message.
      log.error('this gateway process could not do as it was told', { error, kind: message.kind });
    });
  });
  await new Promise(() => undefined);
}

function tell(message: FromProcess): void {
  // With a callback a supervisor that has gone is no error here: `disconnect` tells of it.
  process.send?.(message, undefined, undefined, () => undefined);
}

function fail(error: unknown, log: Log): void {
  log.error('this gateway process cannot serve', { error });
  const problem = error instanceof Error ? error.message : String(error);
  process.send?.({ kind: 'failed', problem } satisfies FromProcess, undefined, undefined, () =>
    process.exit(1),
  );
}

async function obey(
  { gateway, engine, connections }: Serving,
  message: Exclude<ToProcess, { kind: 'start' }>,
  connection: TcpConnection | undefined,
  end: () => Promise<void>,
): Promise<void> {
  switch (message.kind) {
    case 'connection':
      return connections.take(message.id, message.door, connection);
    case 'identity':
      return gateway.setIdentity(message.identity);
    case 'limits':
      gateway.setLimits(message.limits);
      return;
    case 'engine':
      return engine.follow(message.engine);
    case 'others':
      return gateway.followOthers(message.reports);
    case 'quiesce':
      await connections.whenSettled(Math.min(SETTLE_MS, message.withinMs));
      await gateway.quiesce(message.withinMs);
      return tell({ kind: 'quiet' });
    case 'drain':
      await connections.whenSettled(Math.min(SETTLE_MS, message.withinMs));
      await gateway.drain(message.withinMs);
      return end();
  }
}

interface Serving {
  readonly gateway: Gateway;
  readonly engine: ToldEngine;
  readonly connections: ReceivedConnections;
  close(): Promise<void>;
}

async function start(spec: GatewaySpec, log: Log): Promise<Serving> {
  const clock = systemClock;
  const home = homeAt(spec.home);
  const kmsKeys = await openKmsKeys(spec.kms, log);
  const audit = await openChain(home, spec.slot, clock, log);
  const directory = await openDirectory({
    database: spec.database,
    kms: kmsKeys.platform,
    cachePath: home.directoryCopyFile,
    keepsCopy: false,
    clock,
    log,
  });
  const { region, keyLives: lives, nexusEndpoints } = spec;
  const sealing = openHeldKeys({ directory, kmsKeys, region, lives, nexusEndpoints, clock, log });
  const engine = createToldEngine(spec.engine, clock);
  const connections = receiveConnections(tell);
  const gateway = await startGateway({
    grpc: spec.grpc,
    ...(spec.https === undefined ? {} : { https: spec.https }),
    incoming: {
      grpc: connections.incoming('grpc', spec.grpc),
      https: connections.incoming('https', spec.https ?? spec.grpc),
    },
    domain: spec.domain,
    region,
    identity: spec.identity,
    decoyCaPem: await readFile(home.serverCaFile, 'utf8'),
    allowTls12: spec.allowTls12,
    limits: spec.limits,
    nexusEnabled: spec.nexusEnabled,
    directory,
    sealing: sealing.sealing,
    engine: engineForGateway(engine),
    audit,
    clock,
    log,
  });
  const ticks = setInterval(() => tell({ kind: 'use', reports: gateway.reportUse() }), TICK_MS);
  return {
    gateway,
    engine,
    connections,
    async close() {
      clearInterval(ticks);
      // The record first: it alone must not be lost.
      await audit.close();
      await sealing.close();
      await directory.close();
      await kmsKeys.close();
    },
  };
}

const LOCK_RETRY_MS = 100;
const LOCK_LIMIT_MS = 5000;

/** Waits for the lock of an orphan that is putting down its last records. */
async function openChain(home: Home, slot: number, clock: Clock, log: Log): Promise<AuditWriter> {
  const kms = await openLocalKms(home.kmsKeyFile);
  const signingKey = await openAuditSigningKey(home.auditKeyFile, kms);
  const folder = join(home.audit, chainOfProcess(slot));
  const dataKeys = await openAuditDataKeys({ folder: home.auditDataKeys, kms, clock, log });
  const endsAt = clock.monotonicMs() + LOCK_LIMIT_MS;
  for (;;) {
    try {
      return await openAuditWriter({ folder, clock, log, signingKey, dataKeys });
    } catch (error) {
      if (clock.monotonicMs() > endsAt) throw error;
      await new Promise((resolve) => setTimeout(resolve, LOCK_RETRY_MS));
    }
  }
}
