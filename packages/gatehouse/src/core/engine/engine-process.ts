import { type ChildProcess, spawn } from 'node:child_process';
import { open } from 'node:fs/promises';
import { Duplex } from 'node:stream';
import { EngineError } from './engine-error.ts';
import { GUARD_SCRIPT } from './engine-guard.ts';
import { isAlive, signal, waitUntilGone } from './process-signals.ts';

export interface EngineProcess {
  /** Process id of the engine itself, not of its guard. */
  readonly pid: number;
  /** Settles when the engine and everything around it is gone. */
  readonly exited: Promise<void>;
  isRunning(): boolean;
  /** TERM, then KILL after the limit. Settles when it is gone. */
  terminate(limitMs: number): Promise<void>;
}

export interface EngineProcessOptions {
  readonly command: readonly string[];
  readonly folder: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly logFile: string;
  /** Whole seconds between TERM and KILL when this process dies. */
  readonly graceSeconds: number;
}

/** How long the guard may take to say which process it started. */
const GREETING_LIMIT_MS = 10_000;
const KILL_LIMIT_MS = 5_000;

/** Starts the engine under its guard (engine-guard.ts), in a process group of its own. */
export async function startEngineProcess(options: EngineProcessOptions): Promise<EngineProcess> {
  const log = await open(options.logFile, 'a', 0o600);
  let guard: ChildProcess;
  try {
    guard = spawn(
      '/bin/sh',
      ['-c', GUARD_SCRIPT, 'gatehouse-engine-guard', String(options.graceSeconds), ...options.command],
      {
        cwd: options.folder,
        env: { ...options.environment },
        // A group of its own: Ctrl-C in a terminal reaches us alone, and we stop the engine in order.
        detached: true,
        stdio: ['ignore', log.fd, log.fd, 'pipe'],
      },
    );
  } finally {
    await log.close();
  }
  const guardGone = new Promise<void>((resolve) => {
    guard.once('exit', () => resolve());
    guard.once('error', () => resolve());
  });
  const lifeline = guard.stdio[3];
  if (!(lifeline instanceof Duplex) || guard.pid === undefined)
    throw new EngineError('/bin/sh cannot be run');
  lifeline.on('error', () => undefined);
  const guardPid = guard.pid;
  const pid = await readPid(lifeline, guardGone);
  if (pid === undefined) {
    signal(-guardPid, 'SIGKILL');
    throw new EngineError(`the engine could not be started; see ${options.logFile}`);
  }
  const exited = guardGone.then(async () => {
    lifeline.destroy();
    // The guard may have been killed alone: its group still holds the watcher, and perhaps the engine.
    signal(-guardPid, isAlive(pid) ? 'SIGTERM' : 'SIGKILL');
    if (await waitUntilGone(pid, options.graceSeconds * 1000)) return;
    signal(-guardPid, 'SIGKILL');
    signal(pid, 'SIGKILL');
    await waitUntilGone(pid, KILL_LIMIT_MS);
  });
  return {
    pid,
    exited,
    isRunning: () => guard.exitCode === null && guard.signalCode === null,
    async terminate(limitMs) {
      signal(pid, 'SIGTERM');
      if (!(await waitUntilGone(pid, limitMs))) signal(pid, 'SIGKILL');
      await exited;
    },
  };
}

function readPid(lifeline: Duplex, guardGone: Promise<void>): Promise<number | undefined> {
  return new Promise((resolve) => {
    let text = '';
    const timer = setTimeout(() => resolve(undefined), GREETING_LIMIT_MS);
    const done = (pid: number | undefined): void => {
      clearTimeout(timer);
      resolve(pid);
    };
    lifeline.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
      const pid = /^(\d+)\n/.exec(text)?.[1];
      if (pid !== undefined) done(Number(pid));
    });
    guardGone.then(() => done(undefined)).catch(() => undefined);
  });
}
