import { spawn } from 'node:child_process';
import { once } from 'node:events';

/** Enough of a failed build's output to see why; the whole of it can be megabytes. */
const outputCharsMax = 8000;

export interface StepOptions {
  readonly cwd: string;
  /** Added to the environment of this process: package clients need what the machine set for them. */
  readonly env?: NodeJS.ProcessEnv;
}

/** Runs one build step with low priority and gives its standard output. Throws, with the end of what it said, when
 * it fails. */
export async function runStep(
  command: string,
  args: readonly string[],
  options: StepOptions,
): Promise<string> {
  const child = spawn('nice', ['-n', '10', command, ...args], {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
    said = (said + text).slice(-outputCharsMax);
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-outputCharsMax);
  });
  const [code, signal] = await once(child, 'close');
  if (code !== 0) throw new Error(`${command} ${args.join(' ')}: ended with ${code ?? signal}\n${said}`);
  return output;
}
