import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ENGINE_AUDIENCE, writeEngineConfig } from '../packages/gatehouse/src/core/engine/engine-config.ts';
import { engineHome } from '../packages/gatehouse/src/core/engine/engine-home.ts';
import { chooseEnginePorts } from '../packages/gatehouse/src/core/engine/engine-ports.ts';
import { rootsEnvironment } from '../packages/gatehouse/src/core/engine/engine-roots.ts';
import type { EngineStorage } from '../packages/gatehouse/src/core/engine/engine-storage.ts';
import { PINNED_ENGINE_VERSION } from '../packages/gatehouse/src/core/engine/find-engine.ts';
import { type BenchCertificates, ENGINE_NAME, NAMESPACE } from './certificates.ts';
import { findFreePort, type RunningChild, startChild } from './child.ts';
import { type EngineKeys, startEngineKeys } from './engine-keys.ts';
import { field, message, numberField } from './protobuf.ts';
import { prepare } from './requests.ts';
import { withSession } from './session.ts';
import { callUnary } from './unary.ts';

/** A Temporal Server with the platform's own hardened configuration, in a folder of the run. */
export interface RealEngine {
  readonly pid: number;
  readonly port: number;
  readonly keys: EngineKeys;
  /** Where it looks for the keys of a gateway. */
  readonly gatewayJwksPort: number;
  stop(): Promise<void>;
}

/** Where the platform keeps the engine that it has built, and the tools for it. */
export const ENGINE_CACHE = join(homedir(), '.cache', 'gatehouse');
const BINARY = join(ENGINE_CACHE, 'engine', PINNED_ENGINE_VERSION, 'temporal-server');

const SERVICES = ['frontend', 'internal-frontend', 'history', 'matching', 'worker'];
const READY_MS_MAX = 30_000;
const DAY_SECONDS = 86_400;

export function hasRealEngine(): boolean {
  return existsSync(BINARY);
}

/** Starts it and waits until the bench's namespace takes calls. */
export async function startRealEngine(
  certificates: BenchCertificates,
  folder: string,
  storage: EngineStorage,
): Promise<RealEngine> {
  const home = engineHome(folder);
  mkdirSync(home.pki, { recursive: true, mode: 0o700 });
  mkdirSync(home.logFolder, { recursive: true, mode: 0o700 });
  copyCertificates(certificates, home.pki);
  const ports = await chooseEnginePorts(home.portsFile);
  const gatewayJwksPort = await findFreePort();
  const keys = await startEngineKeys(ports.jwks, certificates.keys, gatewayJwksPort, ENGINE_AUDIENCE);
  await writeEngineConfig({
    home,
    ports,
    storage,
    nexusEnabled: false,
    historyShards: 4,
  });
  askForKeysOften(home.configFile);
  const child = await startChild({
    file: BINARY,
    args: ['--config-file', home.configFile, 'start', ...SERVICES.flatMap((name) => ['--service', name])],
    logFile: home.logFile,
    isReady: () => true,
    cwd: home.data,
    env: { TEMPORAL_VERSION_CHECK_DISABLED: '1', ...rootsEnvironment(home) },
  });
  const engine: RealEngine = {
    pid: child.pid,
    port: ports.grpc.frontend,
    keys,
    gatewayJwksPort,
    stop: async () => {
      await child.stop();
      keys.stop();
    },
  };
  await prepareNamespace(engine, certificates, child);
  return engine;
}

/** A gateway that starts later brings keys of its own; production's minute would be a minute of waiting. */
function askForKeysOften(configFile: string): void {
  const text = readFileSync(configFile, 'utf8');
  writeFileSync(configFile, text.replace(/(?<head>jwtKeyProvider:[\s\S]*?refreshInterval: )1m/, '$<head>5s'));
}

function copyCertificates(certificates: BenchCertificates, pki: string): void {
  // One CA on both sides of the bench's engine: who may reach what is not what is measured.
  copyFileSync(certificates.platformCaFile, join(pki, 'internal-ca.crt'));
  copyFileSync(certificates.platformCaFile, join(pki, 'gateway-ca.crt'));
  for (const [name, pair] of [
    ['frontend', certificates.engine],
    ['internode', certificates.internode],
  ] as const) {
    copyFileSync(pair.certificateFile, join(pki, `${name}.crt`));
    copyFileSync(pair.keyFile, join(pki, `${name}.key`));
  }
}

async function prepareNamespace(
  engine: RealEngine,
  certificates: BenchCertificates,
  child: RunningChild,
): Promise<void> {
  const ground = {
    ...certificates.toEngine,
    port: engine.port,
    serverName: ENGINE_NAME,
    caFile: certificates.platformCaFile,
  };
  const register = message(field(1, NAMESPACE), field(4, numberField(1, DAY_SECONDS)));
  const steps = [
    { method: 'RegisterNamespace', request: register, permission: 'temporal-system:admin' },
    { method: 'CountWorkflowExecutions', request: field(1, NAMESPACE), permission: `${NAMESPACE}:write` },
  ];
  try {
    for (const { method, request, permission } of steps) {
      const caller = {
        serverName: ENGINE_NAME,
        namespace: NAMESPACE,
        authorization: engine.keys.bearer(permission),
      };
      await repeatUntilOk(() =>
        withSession(ground, (session) => callUnary(session, prepare(caller, method, '5S', request))),
      );
    }
  } catch (error) {
    await child.stop();
    engine.keys.stop();
    throw error;
  }
}

/** While the engine starts, it refuses connections, then calls. */
async function repeatUntilOk(attempt: () => Promise<unknown>): Promise<void> {
  for (const startedAt = performance.now(); ; await delay(200)) {
    try {
      await attempt();
      return;
    } catch (error) {
      if (performance.now() - startedAt > READY_MS_MAX) throw error;
    }
  }
}
