import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../packages/gatehouse/src/cli/main.ts', import.meta.url));

/** The command as a user runs it: a process of its own, on the sources. */
export interface GatehouseProcess {
  readonly child: ChildProcess;
  /** What it has printed so far. */
  stdout(): string;
  stderr(): string;
  /** Resolves when its output matches, with what matched. @throws where it ends before. */
  printed(pattern: RegExp, withinMs?: number): Promise<RegExpExecArray>;
  /** Its exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals>;
}

export function startGatehouse(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>> = {},
): GatehouseProcess {
  const child = spawn(process.execPath, ['--conditions=source', MAIN, ...args], {
    env: { ...process.env, npm_lifecycle_event: undefined, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  let err = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text;
  });
  let isOver = false;
  const ended = once(child, 'close').then(([code, signal]): number | NodeJS.Signals => {
    isOver = true;
    return code ?? signal;
  });
  return {
    child,
    stdout: () => out,
    stderr: () => err,
    ended,
    async printed(pattern, withinMs = 30_000) {
      const end = performance.now() + withinMs;
      for (;;) {
        const match = pattern.exec(out) ?? pattern.exec(err);
        if (match !== null) return match;
        if (isOver || performance.now() > end) throw new Error(`never printed ${pattern}:\n${out}\n${err}`);
        await wait(20);
      }
    },
  };
}

/** Process ids whose command line names this folder: the platform, its engine and the engine's guard. */
export function processesOf(folder: string): readonly number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => Number.isInteger(pid) && pid !== process.pid && commandLine(pid).includes(folder));
}

function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    // It ended this moment.
    return '';
  }
}

/** Waits for a condition, not for a time. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  withinMs = 10_000,
): Promise<void> {
  const end = performance.now() + withinMs;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`not within ${withinMs} ms: ${what}`);
    await wait(20);
  }
}
