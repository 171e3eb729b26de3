import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { engineAdvisories } from '../packages/gatehouse/src/core/engine/engine-advisories.ts';
import { DOMAIN, ENGINE_NAME, NAMESPACE } from './certificates.ts';
import { findFreePort, startChild } from './child.ts';
import { fillDirectory } from './fill-directory.ts';
import { proxyTarget, type StartSubject, type SubjectGround } from './subject.ts';

/** How one gateway differs from the ordinary one: one process, payloads as they come, a relaxed record. */
export interface GatehouseVariant {
  /** Name of the subject: `gateway`, if not given. */
  readonly name?: string;
  readonly atRest?: 'on' | 'off';
  readonly audit?: 'relaxed' | 'strict';
  /** Nothing is recorded at all, which the product itself cannot do: see `without-record.ts`. */
  readonly withoutRecord?: boolean;
  /** How many namespaces its directory holds. */
  readonly namespaces?: number;
  readonly processes?: number;
}

export const GATEHOUSE_FILE = fileURLToPath(
  new URL('../packages/gatehouse/src/cli/main.ts', import.meta.url),
);

/** Flags of production (`npm run up` has the same): the large young generation is part of what is measured. */
export const GATEHOUSE_NODE_FLAGS = [
  '--disable-sigusr1',
  '--max-semi-space-size=64',
  '--conditions=source',
  ...(process.env['BENCH_NODE_FLAGS']?.split(' ') ?? []),
];

const WITHOUT_RECORD = new URL('without-record.ts', import.meta.url).href;

/** `gatehouse serve` with the full pipeline. */
export function gatehouseStarter(variant: GatehouseVariant = {}): StartSubject {
  return async (ground) => {
    mkdirSync(ground.folder, { recursive: true, mode: 0o700 });
    const home = join(ground.folder, 'home');
    if (variant.namespaces !== undefined) await fillDirectory(home, variant.namespaces - 1);
    const port = await findFreePort();
    const configFile = join(ground.folder, 'gatehouse.yaml');
    // JSON is YAML, and needs no quoting rules of ours.
    writeFileSync(configFile, JSON.stringify({ home, ...gatehouseConfig(ground, port, variant) }, null, 2));
    const flags = variant.withoutRecord === true ? ['--import', WITHOUT_RECORD] : [];
    const child = await startChild({
      file: process.execPath,
      args: [...GATEHOUSE_NODE_FLAGS, ...flags, GATEHOUSE_FILE, 'serve', '--config', configFile],
      logFile: join(ground.folder, 'gatehouse.log'),
      isReady: (log) => log.split('\n').some(isReadyLine),
    });
    const target = proxyTarget(variant.name ?? 'gateway', port, ground.certificates);
    return { target, pid: child.pid, stop: child.stop };
  };
}

function gatehouseConfig(
  { enginePort, jwksPort, certificates }: SubjectGround,
  port: number,
  { atRest = 'off', audit = 'relaxed', processes }: GatehouseVariant,
) {
  return {
    account: 'local',
    domain: DOMAIN,
    region: 'aws-local',
    gateway: {
      grpc: { address: `127.0.0.1:${port}` },
      ...certificates.front,
      drainSeconds: 1,
      ...(processes === undefined ? {} : { processes }),
    },
    engine: {
      address: `127.0.0.1:${enginePort}`,
      serverName: ENGINE_NAME,
      caFile: certificates.platformCaFile,
      ...certificates.toEngine,
      jwks: `127.0.0.1:${jwksPort}`,
      // The echo engine has no settings that could hold an advisory; the real one has the platform's own.
      acceptedAdvisories: engineAdvisories.map(({ id }) => id),
    },
    // What is measured is the path of a call, not a refusal.
    limits: {
      namespace: {
        callsPerSecond: 1_000_000,
        visibilityPerSecond: 100_000,
        polls: 1_000_000,
        waits: 1_000_000,
        connections: 1_000_000,
        requestMebibytes: 65_536,
        replyMebibytes: 65_536,
      },
      connection: { requestMebibytes: 1024 },
      source: { connectionsPerSecond: 1_000_000, connectionsBurst: 1_000_000, pendingHandshakes: 1_000_000 },
    },
    namespaces: [{ id: NAMESPACE, caFile: certificates.clientCaFile, audit, encryption: { atRest } }],
  };
}

function isReadyLine(line: string): boolean {
  return line.startsWith('{') && /"ready":\s*true/.test(line);
}
