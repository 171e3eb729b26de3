import { readFile } from 'node:fs/promises';
import { type Clock, systemClock } from '#base/runtime/clock';
import type { Log } from '#base/runtime/log';
import type { EngineAddress, EngineTls } from './engine-call.ts';
import { EngineError } from './engine-error.ts';
import { createStateHolder, type EngineHandle } from './engine-handle.ts';
import { checkReadiness, waitUntilReady } from './engine-readiness.ts';
import { createSigningKeys } from './engine-signing-keys.ts';
import { createEngineTokens } from './engine-tokens.ts';
import { checkEngineVersion } from './engine-version.ts';
import { startJwksServer } from './jwks-server.ts';
import { requireAllHeld, runSelfTest } from './self-test.ts';

export interface ExternalEngineOptions {
  readonly address: EngineAddress;
  /** The name in the certificate of the engine's frontend. */
  readonly serverName: string;
  /** PEM files, read again when they change: the CA of the frontend, and what the gateway shows. */
  readonly caFile: string;
  readonly certFile: string;
  readonly keyFile: string;
  /** Where the engine reads our keys: its `keySourceURIs` must name this listener. */
  readonly jwks: { readonly host: string; readonly port: number };
  readonly log: Log;
  readonly nexusEnabled?: boolean;
  /** Advisories that the operator accepts for this engine, by number; the caller audits them (T-098). */
  readonly acceptedAdvisories?: readonly string[];
  readonly clock?: Clock;
  /** The engine asks for our keys once a minute, so a start waits a little longer than that. */
  readonly readyLimitMs?: number;
}

const READY_LIMIT_MS = 150_000;
const WATCH_MS = 5_000;
const RELOAD_MS = 30_000;

/**
 * Connects to an engine that somebody else runs (production): the same handle as `startEngine`, without a
 * process. Refuses one whose version has an open advisory or whose frontend fails the self-test.
 * @throws EngineError when it cannot be used safely.
 */
export async function connectExternalEngine(options: ExternalEngineOptions): Promise<EngineHandle> {
  const clock = options.clock ?? systemClock;
  const { address, log } = options;
  let tls = await readTls(options);
  const keys = await createSigningKeys(clock);
  const tokens = createEngineTokens(keys, clock);
  const states = createStateHolder();
  const target = (): { address: EngineAddress; tls: EngineTls } => ({ address, tls });
  const nexusEnabled = options.nexusEnabled ?? false;
  const selfTest: EngineHandle['selfTest'] = () => runSelfTest({ ...target(), keys, clock, nexusEnabled });
  const jwks = await startJwksServer({ keys, ...options.jwks });
  try {
    const readiness = await waitUntilReady(target, tokens, {
      limitMs: options.readyLimitMs ?? READY_LIMIT_MS,
    });
    if (!readiness.ready || readiness.version === undefined) throw notReady(options, readiness.detail);
    const verdict = checkEngineVersion(readiness.version, {
      settingsAreOurs: false,
      acceptedAdvisories: options.acceptedAdvisories ?? [],
    });
    requireAllHeld(await selfTest());
    states.set('ready');
    const timers = [
      every(WATCH_MS, log, async () => {
        const { ready } = await checkReadiness(target(), tokens);
        states.set(ready ? 'ready' : 'restarting');
      }),
      every(RELOAD_MS, log, async () => {
        await keys.advance();
        tls = await readTls(options);
      }),
    ];
    return {
      address,
      get tls() {
        return tls;
      },
      tokens,
      signingKey: () => keys.current(),
      version: verdict.version,
      verdict,
      nexusEnabled,
      pid: undefined,
      state: states.state,
      onState: states.onState,
      selfTest,
      async stop() {
        for (const timer of timers) clearInterval(timer);
        states.set('stopped');
        await jwks.close();
      },
    };
  } catch (error) {
    await jwks.close();
    throw error;
  }
}

function notReady(options: ExternalEngineOptions, detail: string): EngineError {
  const { address, jwks } = options;
  return new EngineError(
    `the engine at ${address.host}:${address.port} is not ready (${detail}). Its keySourceURIs must name ` +
      `http://${jwks.host}:${jwks.port}/jwks.json, its audience must be gatehouse-engine`,
  );
}

async function readTls(options: ExternalEngineOptions): Promise<EngineTls> {
  const read = (file: string): Promise<string> =>
    readFile(file, 'utf8').catch((error: unknown) => {
      throw new EngineError(`cannot read ${file}`, { cause: error });
    });
  const [ca, cert, key] = await Promise.all([
    read(options.caFile),
    read(options.certFile),
    read(options.keyFile),
  ]);
  // An empty CA would make Node trust the public roots.
  if (!ca.includes('-----BEGIN CERTIFICATE-----'))
    throw new EngineError(`${options.caFile} holds no certificate`);
  return Object.freeze({ serverName: options.serverName, ca, cert, key });
}

/** Runs a task again and again; a fault is logged and what was there before stays. */
function every(ms: number, log: Log, task: () => Promise<void>): NodeJS.Timeout {
  const timer = setInterval(() => {
    task().catch((error: unknown) => log.error('engine housekeeping failed', { error }));
  }, ms);
  return timer.unref();
}
