import { spawn } from 'node:child_process';
import { cp, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { ReadQuery } from '../../packages/gatehouse/src/core/sealing/visibility-query/check-rewrite-fixture.test.ts';
import { buildPart, type PartOptions } from '../parts/build-part.ts';
import { cleanEnv } from '../parts/clean-env.ts';
import { runStep } from '../parts/run-step.ts';

/** The engine's own parser in a process of its own. Many questions may be under way: they are answered in order. */
export interface QueryOracle {
  read(query: string): Promise<ReadQuery>;
  close(): void;
}

const files = ['go.mod', 'go.sum', 'main.go'];

/** Starts the parser; the first time it is built. Close it: the process waits for questions until then. */
export async function startQueryOracle(options: PartOptions = {}): Promise<QueryOracle> {
  const child = spawn(await obtainOracle(options), [], {
    env: cleanEnv(),
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const waiting: ((outcome: ReadQuery | Error) => void)[] = [];
  const endAll = (reason: string): void => {
    for (const settle of waiting.splice(0)) settle(new Error(`the parser ended: ${reason}`));
  };
  child.on('error', (error) => endAll(error.message));
  child.on('close', (code, signal) => endAll(`${code ?? signal}`));
  // A broken pipe is told by the end of the process.
  child.stdin.on('error', () => undefined);
  createInterface({ input: child.stdout }).on('line', (line) => {
    waiting.shift()?.(JSON.parse(line) as ReadQuery);
  });
  return {
    read: (query) =>
      new Promise((resolve, reject) => {
        waiting.push((outcome) => (outcome instanceof Error ? reject(outcome) : resolve(outcome)));
        child.stdin.write(`${JSON.stringify(query)}\n`);
      }),
    close: () => child.stdin.end(),
  };
}

async function obtainOracle(options: PartOptions): Promise<string> {
  const sources = fileURLToPath(new URL('visibility-query-go', import.meta.url));
  const inputs = await Promise.all(files.map((file) => readFile(join(sources, file), 'utf8')));
  const folder = await buildPart('visibility-query', [...files, ...inputs], options, async (into) => {
    for (const file of files) await cp(join(sources, file), join(into, file));
    options.progress?.('visibility-query: go build');
    await runStep('go', ['build', '-mod=readonly', '-trimpath', '-o', 'visibility-query', '.'], {
      cwd: into,
      env: { GOTOOLCHAIN: 'local' },
    });
  });
  return join(folder, 'visibility-query');
}
