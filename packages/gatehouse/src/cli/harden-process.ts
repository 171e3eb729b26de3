import { writeFileSync } from 'node:fs';
import { url as inspectorUrl } from 'node:inspector';

/** This process was started in a way that shows its memory to others. Its message says what to change. */
export class OpenProcess extends Error {
  override readonly name = 'OpenProcess';
}

export interface ProcessStart {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Options of the runtime from the command line (`process.execArgv`). */
  readonly options: readonly string[];
}

/** Options of Node that write keys or memory out, or let somebody in: what each does, in a few words. */
const OPENING: Readonly<Record<string, string>> = {
  '--inspect': 'opens a debugger',
  '--inspect-brk': 'opens a debugger',
  '--inspect-wait': 'opens a debugger',
  '--heapsnapshot-signal': 'writes the memory to a file',
  '--heapsnapshot-near-heap-limit': 'writes the memory to a file',
  '--heap-prof': 'writes parts of the memory to a file',
  '--tls-keylog': 'writes the keys of every connection to a file',
  '--trace-tls': 'prints what passes in handshakes',
  '--experimental-config-file': 'takes options from a file that cannot be seen here',
  '--experimental-default-config-file': 'takes options from a file that cannot be seen here',
};

/**
 * Closes what would show this process's memory, which holds keys, to another process of its user or in a file
 * (T-082): the debugger that SIGUSR1 opens, diagnostic reports, core dumps. Call it before anything secret is
 * read. What it sets holds for the engine too, which inherits it.
 * @throws OpenProcess where the process was started with an option that cannot be taken back.
 */
export function hardenProcess(start: ProcessStart): void {
  // Node opens a debugger at this signal unless somebody listens for it.
  if (!process.listeners('SIGUSR1').includes(ignore)) process.on('SIGUSR1', ignore);
  Object.assign(process.report, {
    reportOnSignal: false,
    reportOnFatalError: false,
    reportOnUncaughtException: false,
    excludeEnv: true,
  });
  emptyCoreDumps();
  refuseOpenings(start);
  requireNoDebugger();
}

/**
 * A signal may have opened the debugger before `hardenProcess` was called, and it opens in its own time: ask
 * again before the first secret is read.
 * @throws OpenProcess where a debugger can connect.
 */
export function requireNoDebugger(): void {
  if (inspectorUrl() === undefined) return;
  throw new OpenProcess('a debugger can connect to this process, and read its keys: start it without one');
}

function refuseOpenings({ environment, options }: ProcessStart): void {
  const words = (environment['NODE_OPTIONS'] ?? '').split(/[\s"]+/);
  for (const [place, given] of [
    ['the command line', options],
    ['NODE_OPTIONS', words],
  ] as const) {
    for (const word of given) {
      // Node reads `_` in the name of an option as `-`.
      const option = (word.split('=')[0] ?? '').replaceAll('_', '-');
      const effect = Object.hasOwn(OPENING, option) ? OPENING[option] : undefined;
      if (effect !== undefined)
        throw new OpenProcess(`${option} ${effect}, and this process holds keys: take it out of ${place}`);
    }
  }
  if (environment['NODE_TLS_REJECT_UNAUTHORIZED'] === '0') {
    throw new OpenProcess(
      'NODE_TLS_REJECT_UNAUTHORIZED=0 makes every certificate good: unset it, and give the CA in the configuration',
    );
  }
}

/**
 * A dump of this process, or of one that it starts, has none of its memory: the kernel is told which parts to
 * write, namely none (core(5)). That holds where a limit on the size does not: for dumps that go to a program.
 */
function emptyCoreDumps(): void {
  try {
    writeFileSync('/proc/self/coredump_filter', '0');
  } catch {
    // No Linux, or a /proc that cannot be written: there the operator's own limit on dumps must do.
  }
}

function ignore(): void {
  // That somebody listens is all.
}
