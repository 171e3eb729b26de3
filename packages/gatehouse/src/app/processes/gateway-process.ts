import { type ChildProcess, fork } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Log, LogLevel } from '#base/runtime/log';
import type { Receiver } from './dispatch.ts';
import type { GatewaySpec } from './gateway-spec.ts';
import { type FromProcess, type ToProcess, writeMessage } from './messages.ts';
import { readFromProcess } from './read-from-process.ts';

/** The program of a gateway process: a module and the words that make it run one. */
export interface GatewayCommand {
  readonly module: string;
  readonly args: readonly string[];
}

/** One gateway process, as the supervisor sees it. */
export interface GatewayProcess extends Receiver {
  readonly slot: number;
  readonly pid: number;
  /** Resolves when it serves. @throws Error with its problem where it never does; it has ended then. */
  readonly ready: Promise<void>;
  /** Resolves when it has ended, with what ended it. */
  readonly ended: Promise<string>;
  /** How long ago it was heard of; it says something ten times a second. */
  silentMs(): number;
  onMessage(listener: (message: FromProcess) => void): void;
  /** Tells it something; one that has ended hears nothing. */
  tell(message: ToProcess): void;
  kill(): void;
}

/** Opening a PostgreSQL directory and a KMS across a network takes seconds; more is a fault. */
const READY_MS = 60_000;
/** One that says nothing for this long gets no new connection as long as another does speak. */
const UNRESPONSIVE_MS = 1000;
/** Of one line of its log; what is longer comes from no log of ours. */
const LINE_CHARS_MAX = 100_000;

/**
 * Starts a gateway process. Everything that it is to know goes through the pipe between us: a command line and an
 * environment can be read by others (T-082).
 */
export function startGatewayProcess(options: {
  readonly command: GatewayCommand;
  readonly spec: GatewaySpec;
  readonly log: Log;
  readonly readyMs?: number;
}): GatewayProcess {
  const { command, spec, log } = options;
  // The home in the command line is for whoever looks for what belongs to it; the options of the runtime are ours.
  const child = fork(command.module, [...command.args, '--home', spec.home, '--slot', String(spec.slot)], {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  relayLog(child, log.with({ process: spec.slot }));
  let heardAtMs = performance.now();
  const listeners: ((message: FromProcess) => void)[] = [];
  const ended = new Promise<string>((resolve) => {
    child.on('error', (error) => resolve(error.message));
    child.once('exit', (code, signal) => resolve(signal ?? `exit code ${code}`));
  });
  const tell = (message: ToProcess): void => {
    // One that has just ended: `ended` tells of it.
    child.send(writeMessage(message), () => undefined);
  };
  child.on('message', (said: unknown) => {
    const message = readFromProcess(said);
    if (message === undefined) {
      log.error('a gateway process says what none says, and is ended', {
        process: spec.slot,
        pid: child.pid,
      });
      child.kill('SIGKILL');
      return;
    }
    heardAtMs = performance.now();
    for (const listener of listeners) listener(message);
  });
  const onMessage: GatewayProcess['onMessage'] = (listener) => void listeners.push(listener);
  const ready = becomesReady({ child, ended, onMessage }, options.readyMs ?? READY_MS);
  tell({ kind: 'start', spec });
  return {
    slot: spec.slot,
    pid: child.pid ?? 0,
    ready,
    ended,
    silentMs: () => performance.now() - heardAtMs,
    isResponsive: () => performance.now() - heardAtMs < UNRESPONSIVE_MS,
    onMessage,
    tell,
    hand(id, door, connection) {
      const message: ToProcess = { kind: 'connection', id, door };
      // Kept open here until it says that it has it: one that dies before takes no connection with it.
      child.send(writeMessage(message), connection, { keepOpen: true }, (error) => {
        // A pipe that fails does not mend.
        if (error !== null) child.kill('SIGKILL');
      });
    },
    kill: () => void child.kill('SIGKILL'),
  };
}

async function becomesReady(
  { child, ended, onMessage }: Pick<GatewayProcess, 'ended' | 'onMessage'> & { readonly child: ChildProcess },
  withinMs: number,
): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const answer = new Promise<string | undefined>((resolve) => {
    timer = setTimeout(() => resolve(`it was not ready within ${withinMs} ms`), withinMs);
    onMessage((message) => {
      if (message.kind === 'ready') resolve(undefined);
      if (message.kind === 'failed') resolve(message.problem);
    });
  });
  const problem = await Promise.race([answer, ended.then((how) => `it ended: ${how}`)]);
  clearTimeout(timer);
  if (problem === undefined) return;
  child.kill('SIGKILL');
  await ended;
  throw new Error(`a gateway process cannot serve: ${problem}`);
}

const LEVELS: readonly string[] = ['debug', 'info', 'warn', 'error'] satisfies LogLevel[];

/** Its lines go into our log, under our level; what is no line of a log is what the runtime says when it dies. */
function relayLog(child: ChildProcess, log: Log): void {
  if (child.stderr === null) return;
  createInterface({ input: child.stderr }).on('line', (line) => {
    const text = line.slice(0, LINE_CHARS_MAX);
    const record = parseLine(text);
    if (record === undefined) {
      if (text.trim() !== '') log.error('a gateway process said', { text });
      return;
    }
    const { time: _time, level, message, ...fields } = record;
    log[level](message, fields);
  });
}

interface LogLine {
  readonly time: unknown;
  readonly level: LogLevel;
  readonly message: string;
}

function parseLine(text: string): LogLine | undefined {
  if (!text.startsWith('{')) return undefined;
  try {
    const line = JSON.parse(text) as LogLine;
    return LEVELS.includes(line.level) && typeof line.message === 'string' ? line : undefined;
  } catch {
    // No JSON: something else wrote it.
    return undefined;
  }
}
