import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/** A started program of the bench. */
export interface RunningChild {
  readonly pid: number;
  /** Ends it politely and waits until it is gone. */
  stop(): Promise<void>;
}

export interface ChildCommand {
  readonly file: string;
  readonly args: readonly string[];
  /** Everything the program prints goes here; its end is quoted when the start fails. */
  readonly logFile: string;
  readonly isReady: (log: string) => boolean | Promise<boolean>;
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** How long its clean end may take: 5 s, if not given. */
  readonly stopMsMax?: number;
}

const START_MS_MAX = 30_000;
const STOP_MS_MAX = 5_000;
const LOOK_AGAIN_MS = 25;

/** @throws Error with the end of its log when it ends before it is ready, or is not ready in 30 s. */
export async function startChild(command: ChildCommand): Promise<RunningChild> {
  const log = openSync(command.logFile, 'a', 0o600);
  const child = spawn(command.file, command.args, {
    stdio: ['ignore', log, log],
    ...(command.cwd === undefined ? {} : { cwd: command.cwd }),
    env: command.env ?? process.env,
  });
  closeSync(log);
  const gone = new Promise<void>((resolve) => child.once('close', () => resolve()));
  let failure: Error | undefined;
  child.once('error', (error) => {
    failure = error;
  });
  endWithUs(child);
  const startedAt = performance.now();
  while (!(await command.isReady(readFileSync(command.logFile, 'utf8')))) {
    const late = performance.now() - startedAt > START_MS_MAX;
    if (failure !== undefined || child.exitCode !== null || late) {
      child.kill('SIGKILL');
      const tail = readFileSync(command.logFile, 'utf8').slice(-1_500);
      throw new Error(`${command.file} ${late ? 'was not ready in 30 s' : 'ended at once'}\n${tail}`, {
        cause: failure,
      });
    }
    await delay(LOOK_AGAIN_MS);
  }
  return { pid: child.pid ?? 0, stop: () => stopChild(child, gone, command.stopMsMax ?? STOP_MS_MAX) };
}

/** Children die with the bench, also when it fails half way. */
export function endWithUs(child: ChildProcess): void {
  const end = (): void => {
    child.kill('SIGTERM');
  };
  process.once('exit', end);
  child.once('close', () => process.off('exit', end));
}

async function stopChild(child: ChildProcess, gone: Promise<void>, stopMsMax: number): Promise<void> {
  child.kill('SIGTERM');
  const patience = setTimeout(() => child.kill('SIGKILL'), stopMsMax);
  await gone;
  clearTimeout(patience);
}

/** A port that was free a moment ago. */
export function findFreePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => {
        if (address !== null && typeof address === 'object') resolve(address.port);
        else reject(new Error('no free port'));
      });
    });
  });
}

/** Whether anybody listens there. */
export function acceptsConnections(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const settle = (open: boolean): void => {
      socket.destroy();
      resolve(open);
    };
    socket.once('connect', () => settle(true));
    socket.once('error', () => settle(false));
  });
}
