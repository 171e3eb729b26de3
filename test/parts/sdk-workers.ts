import { cp, readdir, readFile } from 'node:fs/promises';
import { basename, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildPart, type PartOptions } from './build-part.ts';
import { cleanEnv } from './clean-env.ts';
import { runStep } from './run-step.ts';

export type WorkerLanguage = 'typescript' | 'python' | 'go' | 'java';

export const workerLanguages: readonly WorkerLanguage[] = ['typescript', 'python', 'go', 'java'];

/** What to spawn. The environment holds nothing of the machine but its paths: add the connection's variables. */
export interface WorkerCommand {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

interface Recipe {
  /** Builds inside a copy of the program's sources. */
  build(folder: string, step: Step): Promise<void>;
  command(folder: string): Pick<WorkerCommand, 'command' | 'args'>;
  /** Says what else than the sources the result depends on. */
  inputs?(): Promise<string>;
}

type Step = (command: string, args: readonly string[], env?: NodeJS.ProcessEnv) => Promise<string>;

/** Tests run on the Node that the repository pins, and so does the program. */
const node = process.execPath;

const recipes: Record<WorkerLanguage, Recipe> = {
  typescript: {
    async build(_, step) {
      await step('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund']);
      await step(node, ['src/bundle.ts']);
    },
    command: (folder) => ({ command: node, args: [join(folder, 'src/main.ts')] }),
  },
  python: {
    async build(folder, step) {
      await step('python3', ['-m', 'venv', '.venv']);
      const python = join(folder, '.venv/bin/python');
      await step(python, ['-m', 'pip', 'install', '-q', '--no-deps', '-r', 'requirements.txt']);
      await step(python, ['-m', 'pip', 'check']);
    },
    command: (folder) => ({ command: join(folder, '.venv/bin/python'), args: [join(folder, 'main.py')] }),
    // A venv stays tied to the interpreter that made it.
    inputs: () => runStep('python3', ['-c', 'import sys; print(sys.executable, sys.version)'], { cwd: '/' }),
  },
  go: {
    async build(_, step) {
      await step('go', ['build', '-mod=readonly', '-trimpath', '-o', 'build/worker', '.'], {
        GOTOOLCHAIN: 'local',
      });
    },
    command: (folder) => ({ command: join(folder, 'build/worker'), args: [] }),
  },
  java: {
    async build(_, step) {
      await step('mvn', ['-q', '-B', 'package']);
    },
    command: (folder) => ({
      command: 'java',
      // A short run: less compiling and one collector thread start it sooner on few cores.
      args: [
        '-XX:+UseSerialGC',
        '-XX:TieredStopAtLevel=1',
        '-Xmx256m',
        '-cp',
        `${join(folder, 'target/worker.jar')}:${join(folder, 'target/lib')}/*`,
        'gatehouse.worker.Main',
      ],
    }),
  },
};

/**
 * Builds the program of this language in `test/workers/` once for each state of its sources and says how to run it.
 * A first build takes up to a minute, later ones nothing. Throws with the end of the failed step's output.
 */
export async function prepareWorker(
  language: WorkerLanguage,
  options: PartOptions = {},
): Promise<WorkerCommand> {
  const recipe = recipes[language];
  const sources = fileURLToPath(new URL(`../workers/${language}`, import.meta.url));
  const files = await sourceFiles(sources);
  const inputs = await Promise.all(files.map((file) => readFile(file, 'utf8')));
  inputs.push(...files.map((file) => relative(sources, file)), (await recipe.inputs?.()) ?? '');
  const folder = await buildPart(language, inputs, options, async (into) => {
    for (const file of files) await cp(file, join(into, relative(sources, file)));
    await recipe.build(into, (command, args, env = {}) => {
      options.progress?.(`${language}: ${basename(command)} ${args.join(' ')}`);
      return runStep(command, args, { cwd: into, env });
    });
  });
  return { ...recipe.command(folder), env: cleanEnv() };
}

/** Every source file, sorted, without what a build beside them may have left. */
async function sourceFiles(folder: string): Promise<string[]> {
  const left = new Set(['node_modules', 'build', 'target', '__pycache__', '.venv']);
  const found: string[] = [];
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (left.has(entry.name)) continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) found.push(...(await sourceFiles(path)));
    else found.push(path);
  }
  return found.sort();
}
