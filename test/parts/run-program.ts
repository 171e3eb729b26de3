import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cleanEnv } from './clean-env.ts';

export interface ProgramOutcome {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Longer than any command of a test takes on a busy machine; a program that hangs is ended and fails its test. */
const timeoutMs = 60_000;

export interface ProgramOptions {
  /** Added to the environment that `cleanEnv` leaves. */
  readonly env?: Readonly<Record<string, string>>;
  /** For a program that is known to take longer than a minute. */
  readonly timeoutMs?: number;
}

/** Runs a finished program as a user would and says how it ended; a program that fails is an outcome, not a throw. */
export async function runProgram(
  command: string,
  args: readonly string[],
  options: ProgramOptions = {},
): Promise<ProgramOutcome> {
  const child = spawn(command, args, {
    env: cleanEnv(options.env),
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: options.timeoutMs ?? timeoutMs,
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const [code] = await once(child, 'close');
  return { exitCode: typeof code === 'number' ? code : null, stdout, stderr };
}
