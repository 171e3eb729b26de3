import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { engineAdvisories } from '../packages/gatehouse/src/core/engine/engine-advisories.ts';
import { DOMAIN, ENGINE_NAME, NAMESPACE } from './certificates.ts';
import { findFreePort, startChild } from './child.ts';
import { proxyTarget, type StartSubject, type Subject, type SubjectGround } from './subject.ts';

const MAIN_FILE = fileURLToPath(new URL('../packages/gatehouse/src/cli/main.ts', import.meta.url));

/** Flags of production (`npm run up` has the same): the large young generation is part of what is measured. */
const NODE_FLAGS = [
  '--max-semi-space-size=64',
  '--conditions=source',
  ...(process.env['BENCH_NODE_FLAGS']?.split(' ') ?? []),
];

export function hasGatehouse(): boolean {
  return existsSync(MAIN_FILE);
}

/** `gatehouse serve` in one process, with the full pipeline and the relaxed record, payloads as they come. */
export const startGatehouse: StartSubject = (ground) => start(ground, 'gateway', 'off');

/** The same with payloads sealed. */
export const startSealingGatehouse: StartSubject = (ground) => start(ground, 'gateway, sealing', 'on');

async function start(ground: SubjectGround, name: string, atRest: 'on' | 'off'): Promise<Subject> {
  mkdirSync(ground.folder, { recursive: true, mode: 0o700 });
  const port = await findFreePort();
  const configFile = join(ground.folder, 'gatehouse.yaml');
  // JSON is YAML, and needs no quoting rules of ours.
  writeFileSync(configFile, JSON.stringify(gatehouseConfig(ground, port, atRest), null, 2));
  const child = await startChild({
    file: process.execPath,
    args: [...NODE_FLAGS, MAIN_FILE, 'serve', '--config', configFile],
    logFile: join(ground.folder, 'gatehouse.log'),
    isReady: (log) => log.split('\n').some(isReadyLine),
  });
  return { target: proxyTarget(name, port, ground.certificates), pid: child.pid, stop: child.stop };
}

function gatehouseConfig(
  { enginePort, jwksPort, certificates, folder }: SubjectGround,
  port: number,
  atRest: 'on' | 'off',
) {
  return {
    home: join(folder, 'home'),
    account: 'local',
    domain: DOMAIN,
    region: 'aws-local',
    gateway: {
      grpc: { address: `127.0.0.1:${port}` },
      ...certificates.front,
      drainSeconds: 1,
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
    namespaces: [{ id: NAMESPACE, caFile: certificates.clientCaFile, encryption: { atRest } }],
  };
}

function isReadyLine(line: string): boolean {
  return line.startsWith('{') && /"ready":\s*true/.test(line);
}
