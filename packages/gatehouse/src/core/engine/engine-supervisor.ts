import { createBackoff } from '#base/runtime/backoff';
import type { Log } from '#base/runtime/log';
import { verifyBinary } from './engine-digest.ts';
import { EngineError, TamperedBinaryError } from './engine-error.ts';
import { createStateHolder, type EngineStateHolder } from './engine-handle.ts';
import type { EngineHome } from './engine-home.ts';
import { ENGINE_SERVICES } from './engine-ports.ts';
import { type EngineProcess, startEngineProcess } from './engine-process.ts';
import { rootsEnvironment } from './engine-roots.ts';
import type { EngineBinary } from './find-engine.ts';
import { forgetEngine, recordEngine } from './stale-engine.ts';

/** Keeps one engine process running. Its states are those of `EngineHandle`. */
export interface EngineSupervisor {
  readonly states: EngineStateHolder;
  pid(): number | undefined;
  /** The first start. @throws EngineError when the engine does not come up; it is not tried again then. */
  start(): Promise<void>;
  /** From now on a death of the engine is followed by a restart. The caller has checked the engine first. */
  keepRunning(): void;
  /** Ends the process in order; it comes back by itself. */
  restart(): void;
  /** @param limitMs from TERM to KILL. */
  stop(limitMs?: number): Promise<void>;
}

/** Idle engines take 2.8 s to end; a busy one drains longer. */
const STOP_LIMIT_MS = 15_000;
/** The same, when this process has died and only the guard is left. */
const GRACE_SECONDS = 10;
const RESTART_FIRST_MS = 100;
const RESTART_MOST_MS = 10_000;
/** An engine that lived this long has recovered: the next restart is quick again. */
const STEADY_MS = 60_000;

export function createSupervisor(options: {
  readonly home: EngineHome;
  readonly binary: EngineBinary;
  readonly log: Log;
  /** @returns undefined when ready, else what is missing. */
  readonly waitUntilReady: (process: EngineProcess) => Promise<string | undefined>;
}): EngineSupervisor {
  const { home, binary, log } = options;
  const states = createStateHolder();
  const backoff = createBackoff(RESTART_FIRST_MS, RESTART_MOST_MS);
  let current: EngineProcess | undefined;
  let stopping: Promise<void> | undefined;
  let watching: Promise<void> = Promise.resolve();
  let wake: () => void = () => undefined;

  const launch = async (): Promise<void> => {
    // At every start, not only at the first: the file may have been changed since (T-097).
    await verifyBinary(binary.path, binary.sha256);
    const process = await startEngineProcess(processOptions(home, binary));
    current = process;
    await recordEngine(home, process.pid);
    const missing = stopping === undefined ? await options.waitUntilReady(process) : 'it is being stopped';
    if (missing === undefined) return;
    await process.terminate(STOP_LIMIT_MS);
    throw new EngineError(`the engine did not become ready (${missing}); see ${home.logFile}`);
  };

  const pause = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });

  const watch = async (): Promise<void> => {
    for (;;) {
      const startedAt = performance.now();
      await current?.exited;
      if (stopping !== undefined) return;
      states.set('restarting');
      log.error('the engine died; restarting it', { log: home.logFile });
      if (performance.now() - startedAt >= STEADY_MS) backoff.reset();
      while (!(await tryAgain())) if (stopping !== undefined || states.state() === 'failed') return;
      if (stopping !== undefined) return;
      states.set('ready');
      log.info('the engine is back');
    }
  };

  const tryAgain = async (): Promise<boolean> => {
    await pause(backoff.next());
    if (stopping !== undefined) return false;
    try {
      await launch();
      return true;
    } catch (error) {
      log.error('the engine could not be restarted', { error });
      // A binary that was changed does not change back by waiting.
      if (error instanceof TamperedBinaryError) states.set('failed');
      return false;
    }
  };

  const end = async (limitMs: number): Promise<void> => {
    wake();
    await current?.terminate(limitMs);
    await watching;
    // A start that was under way when the order came may have made one more.
    await current?.terminate(limitMs);
    await forgetEngine(home);
    states.set('stopped');
  };

  return {
    states,
    pid: () => (current?.isRunning() ? current.pid : undefined),
    start: launch,
    keepRunning() {
      states.set('ready');
      watching = watch().catch((error: unknown) => {
        log.error('the engine is no longer watched', { error });
        states.set('failed');
      });
    },
    restart() {
      void current?.terminate(STOP_LIMIT_MS);
    },
    stop(limitMs = STOP_LIMIT_MS) {
      stopping ??= end(limitMs);
      return stopping;
    },
  };
}

function processOptions(home: EngineHome, binary: EngineBinary) {
  return {
    command: [
      binary.path,
      '--config-file',
      home.configFile,
      'start',
      ...ENGINE_SERVICES.flatMap((service) => ['--service', service]),
    ],
    folder: home.data,
    // Nothing of our own environment: it may hold secrets, and a proxy would be asked for the keys. No PATH
    // either: the engine runs no other program.
    environment: { TEMPORAL_VERSION_CHECK_DISABLED: '1', HOME: home.root, ...rootsEnvironment(home) },
    logFile: home.logFile,
    graceSeconds: GRACE_SECONDS,
  };
}
