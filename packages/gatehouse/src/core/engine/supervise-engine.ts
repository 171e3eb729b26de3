import { type Clock, systemClock } from '#base/runtime/clock';
import type { Log } from '#base/runtime/log';
import { makePrivateFolder } from '#base/runtime/safe-file';
import { writeEngineConfig } from './engine-config.ts';
import type { EngineHandle } from './engine-handle.ts';
import { type EngineHome, engineHome } from './engine-home.ts';
import { rotateLog } from './engine-log.ts';
import { type EnginePki, openEnginePki } from './engine-pki.ts';
import { chooseEnginePorts } from './engine-ports.ts';
import { waitUntilReady } from './engine-readiness.ts';
import { ROOTS_CAN_BE_CHOSEN } from './engine-roots.ts';
import { createSigningKeys } from './engine-signing-keys.ts';
import type { EngineStorage } from './engine-storage.ts';
import { createSupervisor } from './engine-supervisor.ts';
import { createEngineTokens } from './engine-tokens.ts';
import { checkEngineVersion } from './engine-version.ts';
import type { EngineBinary } from './find-engine.ts';
import { type JwksServer, startJwksServer } from './jwks-server.ts';
import { requireAllHeld, runSelfTest } from './self-test.ts';
import { stopStaleEngine } from './stale-engine.ts';

export interface StartEngineOptions {
  /** The platform's home, absolute. One engine per home: the caller holds the lock. */
  readonly home: string;
  readonly binary: EngineBinary;
  readonly log: Log;
  /** SQLite in the home unless told. */
  readonly storage?: EngineStorage;
  readonly nexusEnabled?: boolean;
  /** Fixed for the life of the data; 4 unless told. */
  readonly historyShards?: number;
  readonly clock?: Clock;
  /** How long a start may take until the engine has accepted a token of each role. */
  readonly readyLimitMs?: number;
}

const READY_LIMIT_MS = 60_000;
const HOUSEKEEPING_MS = 30_000;

/**
 * Starts the engine of a home, and keeps it running: hardened files, certificates, keys, process, readiness,
 * self-test (T-099), restarts with backoff. Ends an engine that a crashed run left behind first.
 * @throws EngineError when it cannot be run safely; nothing is left running then.
 */
export async function startEngine(options: StartEngineOptions): Promise<EngineHandle> {
  const clock = options.clock ?? systemClock;
  const home = engineHome(options.home);
  const nexusEnabled = options.nexusEnabled ?? false;
  const verdict = checkEngineVersion(options.binary.version, { settingsAreOurs: true });
  for (const folder of [home.root, home.data, home.logFolder]) await makePrivateFolder(folder);
  const stale = await stopStaleEngine(home);
  if (stale !== undefined) options.log.warn('stopped the engine of an earlier run', { pid: stale });

  const ports = await chooseEnginePorts(home.portsFile);
  const keys = await createSigningKeys(clock);
  const tokens = createEngineTokens(keys, clock);
  const pki = await openEnginePki({ folder: home.pki, nexusEnabled, clock });
  await writeEngineConfig({
    home,
    ports,
    storage: options.storage ?? { kind: 'sqlite' },
    nexusEnabled,
    historyShards: options.historyShards ?? 4,
  });
  const address = Object.freeze({ host: '127.0.0.1', port: ports.grpc.frontend });
  const identity = ROOTS_CAN_BE_CHOSEN ? pki.jwksIdentity : undefined;
  const jwks = await startJwksServer({ keys, port: ports.jwks, identity });
  const target = (): { address: typeof address; tls: EngineHandle['tls'] } => ({
    address,
    tls: pki.gatewayTls(),
  });
  const supervisor = createSupervisor({
    home,
    binary: options.binary,
    log: options.log,
    waitUntilReady: async (process) => {
      const limitMs = options.readyLimitMs ?? READY_LIMIT_MS;
      const readiness = await waitUntilReady(target, tokens, {
        limitMs,
        stopped: () => !process.isRunning(),
      });
      return readiness.ready ? undefined : readiness.detail;
    },
  });
  const selfTest: EngineHandle['selfTest'] = async () => {
    const pid = supervisor.pid();
    const local = pid === undefined ? {} : { local: { ports, pid } };
    return runSelfTest({ ...target(), keys, clock, nexusEnabled, ...local });
  };
  const housekeeping = setInterval(() => {
    void keepHouse({ home, pki, jwks, advanceKeys: () => keys.advance(), restart: supervisor.restart }).catch(
      (error: unknown) => options.log.error('engine housekeeping failed', { error }),
    );
  }, HOUSEKEEPING_MS);
  housekeeping.unref();
  const stop = async (): Promise<void> => {
    clearInterval(housekeeping);
    await supervisor.stop();
    await jwks.close();
  };
  try {
    await supervisor.start();
    requireAllHeld(await selfTest());
    supervisor.keepRunning();
  } catch (error) {
    await stop();
    throw error;
  }
  options.log.info('engine ready', { version: verdict.version, held: verdict.held.map((row) => row.id) });
  return {
    address,
    get tls() {
      return pki.gatewayTls();
    },
    tokens,
    signingKey: () => keys.current(),
    version: verdict.version,
    verdict,
    nexusEnabled,
    get pid() {
      return supervisor.pid();
    },
    state: supervisor.states.state,
    onState: supervisor.states.onState,
    selfTest,
    stop,
  };
}

/** What is due every half minute: keys, certificates, log. */
async function keepHouse(house: {
  readonly home: EngineHome;
  readonly pki: EnginePki;
  readonly jwks: JwksServer;
  readonly advanceKeys: () => Promise<void>;
  readonly restart: () => void;
}): Promise<void> {
  await house.advanceKeys();
  const renewed = await house.pki.renew();
  if (renewed !== 'nothing') house.jwks.renewIdentity();
  if (renewed === 'authorities') house.restart();
  await rotateLog(house.home.logFile);
}
