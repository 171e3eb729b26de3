import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startBackgroundProgram } from './background-program.ts';
import { buildPart, type PartOptions } from './build-part.ts';
import { cleanEnv } from './clean-env.ts';
import { freePorts } from './free-ports.ts';
import { runStep } from './run-step.ts';

/** A stand-in for AWS: real ciphertexts and contexts, but neither signatures nor the state of a key are looked at. */
export interface Moto {
  /** Plain HTTP, loopback. */
  readonly address: string;
  close(): Promise<void>;
}

/** The Python of an environment that holds moto, built once. */
async function obtainMoto(options: PartOptions): Promise<string> {
  const requirements = await readFile(new URL('moto-requirements.txt', import.meta.url), 'utf8');
  // A venv stays tied to the interpreter that made it.
  const interpreter = await runStep('python3', ['-c', 'import sys; print(sys.executable, sys.version)'], {
    cwd: '/',
  });
  const folder = await buildPart('moto', [requirements, interpreter], options, async (into) => {
    options.progress?.('moto: pip install');
    await runStep('python3', ['-m', 'venv', '.venv'], { cwd: into });
    const python = join(into, '.venv/bin/python');
    const list = fileURLToPath(new URL('moto-requirements.txt', import.meta.url));
    await runStep(python, ['-m', 'pip', 'install', '-q', '--no-deps', '-r', list], { cwd: into });
    await runStep(python, ['-m', 'pip', 'check'], { cwd: into });
  });
  return join(folder, '.venv/bin/python');
}

export async function startMoto(options: PartOptions = {}): Promise<Moto> {
  const python = await obtainMoto(options);
  const [port = 0] = await freePorts(1);
  const address = `http://127.0.0.1:${port}`;
  // Not its starter script: that names the folder in which the environment was built.
  const args = ['-c', 'from moto.server import main; main()', '-H', '127.0.0.1', '-p', `${port}`];
  const program = await startBackgroundProgram(python, args, {
    env: cleanEnv(),
    isReady: () => isServing(address),
  });
  return { address, close: () => program.kill('SIGKILL') };
}

async function isServing(address: string): Promise<boolean> {
  try {
    const answer = await fetch(`${address}/moto-api/`);
    await answer.arrayBuffer();
    return true;
  } catch {
    // Not listening yet.
    return false;
  }
}
