import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as wait } from 'node:timers/promises';

/** Enough of what a program said to see why it ended. */
const outputCharsMax = 4000;
/** Longer than any of them takes to start on a busy machine. */
const startMs = 60_000;

/** A server program that a test runs, and may end in any way. */
export interface BackgroundProgram {
  readonly pid: number;
  /** Sends the signal; after one that ends it, waits until it has ended. */
  kill(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>;
}

/** Starts it and waits until it is ready. @throws Error with the end of what it said, where it ends before. */
export async function startBackgroundProgram(
  command: string,
  args: readonly string[],
  options: { readonly env: NodeJS.ProcessEnv; readonly isReady: () => Promise<boolean> },
): Promise<BackgroundProgram> {
  const child = spawn(command, args, { env: options.env, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-outputCharsMax);
    });
  }
  const ended = once(child, 'close');
  const program: BackgroundProgram = {
    pid: child.pid ?? 0,
    async kill(signal) {
      child.kill(signal);
      await ended;
    },
  };
  const until = performance.now() + startMs;
  while (!(await options.isReady())) {
    if (child.exitCode !== null || child.signalCode !== null) {
      throw new Error(`${command} ended with ${child.exitCode ?? child.signalCode}\n${said}`);
    }
    if (performance.now() > until) {
      await program.kill('SIGKILL');
      throw new Error(`${command} is not ready after ${startMs} ms\n${said}`);
    }
    await wait(50);
  }
  return program;
}
