import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { WorkerCommand } from './sdk-workers.ts';

/** All that a program is told: where to connect, whom to expect there, and its own certificate. */
export interface WorkerTarget {
  readonly address: string;
  readonly namespace: string;
  /** Undefined: plain TCP, to a bare server. */
  readonly tls?: {
    readonly serverName: string;
    readonly caFile: string;
    readonly certificateFile: string;
    readonly keyFile: string;
  };
}

export type WorkerMode =
  | { readonly mode: 'features' }
  | { readonly mode: 'worker'; readonly taskQueue: string }
  | { readonly mode: 'starter'; readonly taskQueue: string; readonly count: number };

/** A line of the report; see `test/workers/README.md`. */
export type ReportLine = Readonly<Record<string, unknown>>;

export interface WorkerOutcome {
  readonly ok: boolean;
  readonly exitCode: number | null;
  readonly lines: readonly ReportLine[];
  /** The end of what the SDK logged. */
  readonly log: string;
}

export interface WorkerProcess {
  readonly pid: number | undefined;
  /** Resolves with the first line that has this key, rejects if the program ends without it. */
  line(key: string): Promise<ReportLine>;
  /** Resolves when the program has ended, however it ended. */
  readonly ended: Promise<WorkerOutcome>;
  /** Asks it to end and waits for that. */
  stop(): Promise<WorkerOutcome>;
}

const logCharsMax = 20_000;

/** Starts one of the programs of `test/workers/` against a target. */
export function startWorkerProcess(
  worker: WorkerCommand,
  target: WorkerTarget,
  mode: WorkerMode,
): WorkerProcess {
  const env = { ...worker.env, ...targetEnv(target), ...modeEnv(mode) };
  const child = spawn(worker.command, worker.args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const lines: ReportLine[] = [];
  const reader = createInterface({ input: child.stdout }).on('line', (text) => lines.push(parseLine(text)));
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    log = (log + text).slice(-logCharsMax);
  });
  const ended = Promise.all([once(child, 'close'), once(reader, 'close')]).then(([[code]]) => {
    const exitCode = typeof code === 'number' ? code : null;
    return { ok: exitCode === 0, exitCode, lines, log };
  });
  return {
    pid: child.pid,
    ended,
    async line(key) {
      for (;;) {
        const found = lines.find((it) => key in it);
        if (found) return found;
        const outcome = await Promise.race([ended, once(reader, 'line').then(() => undefined)]);
        if (outcome && !lines.some((it) => key in it)) {
          throw new Error(`ended with ${outcome.exitCode} before "${key}"\n${JSON.stringify(lines)}\n${log}`);
        }
      }
    },
    async stop() {
      child.kill('SIGTERM');
      return await ended;
    },
  };
}

function parseLine(text: string): ReportLine {
  try {
    const line: unknown = JSON.parse(text);
    if (typeof line === 'object' && line !== null) return { ...line };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  return { unparsed: text };
}

function targetEnv({ address, namespace, tls }: WorkerTarget): Record<string, string> {
  return {
    TEMPORAL_ADDRESS: address,
    TEMPORAL_NAMESPACE: namespace,
    ...(tls && {
      TEMPORAL_TLS_SERVER_NAME: tls.serverName,
      TEMPORAL_TLS_CA: tls.caFile,
      TEMPORAL_TLS_CERT: tls.certificateFile,
      TEMPORAL_TLS_KEY: tls.keyFile,
    }),
  };
}

function modeEnv(mode: WorkerMode): Record<string, string> {
  return {
    MODE: mode.mode,
    ...('taskQueue' in mode && { TASK_QUEUE: mode.taskQueue }),
    ...('count' in mode && { COUNT: String(mode.count) }),
  };
}
