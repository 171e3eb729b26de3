import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ChildOutcome, ChildTask } from './child.ts';
import { CORPUS, type TargetFile } from './fuzz-target.ts';
import { STATE_HEAD_BYTES } from './fuzzer.ts';

export interface RunOptions extends TargetFile {
  readonly seconds: number;
  readonly seed: number;
  /** The corpus in the repository is written anew. */
  readonly keep?: boolean;
  /** Absent: the target's folder of the repository. */
  readonly corpus?: string;
  /** Sources whose path holds this are counted in. */
  readonly sources?: string;
  /** Where an input that breaks a promise is left. */
  readonly findings?: string;
  /** An input under way for longer hangs. */
  readonly hangMs?: number;
}

export interface RunOutcome {
  readonly runs: number;
  /** What it came to, in a line. */
  readonly text: string;
  /** A broken promise, with how to see it again. */
  readonly fault?: string;
}

const HANG_MS = 20_000;
const LOOK_EVERY_MS = 250;
const HEAP_MEBIBYTES = 512;
const FINDINGS: string = join(import.meta.dirname, '../findings');

/** Runs one target in a child process, and takes from it what it cannot tell: that it hangs, or how it died. */
export async function runTarget(options: RunOptions): Promise<RunOutcome> {
  const { name, file, seconds, seed, findings = FINDINGS } = options;
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-fuzz-'));
  mkdirSync(findings, { recursive: true });
  const findingPath = join(findings, `${name}-${seed}`);
  const statePath = join(folder, 'state');
  const task: ChildTask = {
    file,
    seconds,
    seed,
    statePath,
    findingPath,
    corpus: options.corpus ?? join(CORPUS, name),
    sources: options.sources ?? '/packages/',
    keep: options.keep ?? false,
  };
  try {
    const { output, died } = await runChild(task, options.hangMs ?? HANG_MS);
    const outcome = died === undefined ? readOutcome(output) : undefined;
    if (outcome !== undefined && !('fault' in outcome)) {
      const { runs, inputs, features, places } = outcome;
      return {
        runs,
        text: `seed ${seed}: ${runs} runs, ${inputs} inputs, ${features} features of ${places} places`,
      };
    }
    const state = readState(statePath);
    if (outcome === undefined) writeFileSync(findingPath, state.input);
    const what = outcome?.fault ?? `${died ?? 'no outcome'}\n${output.slice(-2000)}`;
    const again = `node --conditions=source test/fuzz/repeat.ts ${name} ${findingPath}`;
    const fault = `${name}, seed ${seed}, run ${state.run}: ${what}\nagain: ${again}`;
    return { runs: state.run, text: fault, fault };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function runChild(
  task: ChildTask,
  hangMs: number,
): Promise<{ readonly output: string; readonly died: string | undefined }> {
  const child = spawn(
    process.execPath,
    [
      '--conditions=source',
      `--max-old-space-size=${HEAP_MEBIBYTES}`,
      join(import.meta.dirname, 'child.ts'),
      JSON.stringify(task),
    ],
    { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, NODE_NO_WARNINGS: '1' } },
  );
  let output = '';
  const append = (chunk: Buffer): void => {
    output = (output + chunk.toString('utf8')).slice(-100_000);
  };
  child.stdout.on('data', append);
  child.stderr.on('data', append);
  const watch = watchState(child, task.statePath, hangMs);
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  const died = watch.stop() ?? (code === 0 ? undefined : `ended with ${signal ?? code}`);
  return { output, died };
}

/** Ends a child that is at one input for too long. */
function watchState(child: ChildProcess, statePath: string, hangMs: number): { stop(): string | undefined } {
  let last = { run: 0, atMs: performance.now() };
  let hung: string | undefined;
  const timer = setInterval(() => {
    const { run } = readState(statePath);
    const nowMs = performance.now();
    if (run !== last.run) last = { run, atMs: nowMs };
    else if (nowMs - last.atMs > hangMs) {
      hung = `hung for ${hangMs} ms`;
      child.kill('SIGKILL');
    }
  }, LOOK_EVERY_MS);
  return {
    stop: () => {
      clearInterval(timer);
      return hung;
    },
  };
}

function readState(path: string): { readonly run: number; readonly input: Buffer } {
  const bytes = existsSync(path) ? readFileSync(path) : Buffer.alloc(0);
  if (bytes.length < STATE_HEAD_BYTES) return { run: 0, input: Buffer.alloc(0) };
  const end = STATE_HEAD_BYTES + bytes.readUInt32LE(4);
  return { run: bytes.readUInt32LE(0), input: bytes.subarray(STATE_HEAD_BYTES, end) };
}

function readOutcome(output: string): ChildOutcome | undefined {
  const line = output.trimEnd().split('\n').at(-1) ?? '';
  return line.startsWith('{') ? (JSON.parse(line) as ChildOutcome) : undefined;
}
