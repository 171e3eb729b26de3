import { readdirSync, readFileSync } from 'node:fs';

/** The wish that this process should end. */
export interface Stop {
  /** Resolves when it is first uttered. */
  readonly asked: Promise<string>;
  /** By what: a signal, or undefined as long as nobody has. */
  reason(): string | undefined;
  /** From now on the first wish is left to whoever awaits `asked`: what runs must not be cut off. */
  started(): void;
}

/** The start was broken off. */
export class Interrupted extends Error {
  readonly exitCode: number;

  constructor(reason: string) {
    super('stopped before it was up; nothing is left running');
    this.name = 'Interrupted';
    // What a shell says of a process that a signal ended.
    this.exitCode = reason === 'SIGTERM' ? 143 : 130;
  }
}

const PARENT_LOOK_MS = 500;

/**
 * Listens for SIGINT and SIGTERM; a second one ends the process at once, and the engine's guard ends the
 * engine. Under npm, which forwards signals but may be killed, the end of npm counts too.
 */
export function listenForStop(environment: NodeJS.ProcessEnv): Stop {
  let reason: string | undefined;
  let running = false;
  let tell: (reason: string) => void = () => undefined;
  const asked = new Promise<string>((resolve) => {
    tell = resolve;
  });
  const stop = (by: string): void => {
    if (reason !== undefined) process.exit(130);
    reason = by;
    // A build of the engine takes minutes and would be waited for.
    if (!running) endChildren();
    tell(by);
  };
  process.on('SIGINT', () => stop('SIGINT'));
  process.on('SIGTERM', () => stop('SIGTERM'));
  if (environment['npm_lifecycle_event'] !== undefined) {
    const parents = parentsUpToNpm();
    const timer = setInterval(() => {
      if (parentsUpToNpm() === parents) return;
      clearInterval(timer);
      if (reason === undefined) stop('the end of npm');
    }, PARENT_LOOK_MS);
    timer.unref();
  }
  return {
    asked,
    reason: () => reason,
    started() {
      running = true;
    },
  };
}

/** Our parent, and its own where it is the shell that npm starts scripts with: that one would outlive npm. */
function parentsUpToNpm(): string {
  const parent = process.ppid;
  try {
    const stat = readFileSync(`/proc/${parent}/stat`, 'latin1');
    // `pid (name) state ppid ...`; the name may hold anything.
    const [, name = '', rest = ''] = /^\d+ \((.*)\) \S (\d+)/s.exec(stat) ?? [];
    return /^(ba|da)?sh$/.test(name) ? `${parent} ${rest}` : `${parent}`;
  } catch {
    // No /proc, or gone this moment: the number alone tells the most.
    return `${parent}`;
  }
}

/** Asks every child to end, where the system tells them; elsewhere the step that waits for them ends first. */
function endChildren(): void {
  try {
    for (const thread of readdirSync('/proc/self/task')) {
      const children = readFileSync(`/proc/self/task/${thread}/children`, 'utf8').trim();
      for (const pid of children.split(' ').filter((text) => text !== ''))
        process.kill(Number(pid), 'SIGTERM');
    }
  } catch {
    // No /proc, or a child that has ended this moment.
  }
}
