import { spawn } from 'node:child_process';
import { cp, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { buildPart, type PartOptions } from './build-part.ts';
import { cleanEnv } from './clean-env.ts';
import { runStep } from './run-step.ts';
import { prepareWorker, type WorkerLanguage } from './sdk-workers.ts';

/** Runs one program of `test/codec/`. */
export interface CodecProgram {
  readonly language: WorkerLanguage;
  /**
   * @param keys lines of a key file; the last encrypts
   * @param payloads `Payloads` in protobuf's JSON
   * Rejects with what the program said where it failed.
   */
  run(operation: 'encode' | 'decode', keys: readonly string[], payloads: string): Promise<string>;
}

type Command = readonly [command: string, ...args: string[]];

const source = (path: string): string => fileURLToPath(new URL(`../${path}`, import.meta.url));

/** Versions are those of the Worker programs: what is proven is proven of what else is tested here. */
const commands: Record<WorkerLanguage, (options: PartOptions) => Promise<Command>> = {
  // Of the repository's own packages.
  typescript: async () => [process.execPath, source('codec/typescript/main.ts')],
  async go(options) {
    const files = [source('codec/go/main.go'), source('workers/go/go.mod'), source('workers/go/go.sum')];
    const folder = await buildFrom('codec-go', files, options, (into) =>
      runStep('go', ['build', '-mod=readonly', '-trimpath', '-o', 'codec', '.'], {
        cwd: into,
        env: { GOTOOLCHAIN: 'local' },
      }),
    );
    return [join(folder, 'codec')];
  },
  async python(options) {
    const worker = source('workers/python/requirements.txt');
    const files = [source('codec/python/main.py'), source('codec/python/requirements.txt')];
    const folder = await buildFrom('codec-python', files, options, async (into) => {
      await runStep('python3', ['-m', 'venv', '.venv'], { cwd: into });
      const pip = ['-m', 'pip', 'install', '-q', '--no-deps', '-r', worker, '-r', 'requirements.txt'];
      await runStep(join(into, '.venv/bin/python'), pip, { cwd: into });
      await runStep(join(into, '.venv/bin/python'), ['-m', 'pip', 'check'], { cwd: into });
    });
    return [join(folder, '.venv/bin/python'), join(folder, 'main.py')];
  },
  async java(options) {
    const { args } = await prepareWorker('java', options);
    const classPath = args[args.indexOf('-cp') + 1] ?? '';
    const files = [source('codec/java/CodecProgram.java')];
    const folder = await buildFrom('codec-java', files, options, (into) =>
      runStep('javac', ['-Xlint:all,-processing', '-cp', classPath, 'CodecProgram.java'], { cwd: into }),
    );
    return [
      'java',
      '-XX:+UseSerialGC',
      '-XX:TieredStopAtLevel=1',
      '-cp',
      `${folder}:${classPath}`,
      'CodecProgram',
    ];
  },
};

async function buildFrom(
  name: string,
  files: readonly string[],
  options: PartOptions,
  build: (into: string) => Promise<unknown>,
): Promise<string> {
  const inputs = await Promise.all(files.map((file) => readFile(file, 'utf8')));
  // Their own lock files decide as much as the program does.
  inputs.push(await readFile(source('workers/python/requirements.txt'), 'utf8'));
  inputs.push(await readFile(source('workers/java/pom.xml'), 'utf8'));
  return await buildPart(name, inputs, options, async (into) => {
    options.progress?.(`${name}: building`);
    for (const file of files) await cp(file, join(into, basename(file)));
    await build(into);
  });
}

/** Builds the program once for each state of its sources. */
export async function prepareCodecProgram(
  language: WorkerLanguage,
  options: PartOptions = {},
): Promise<CodecProgram> {
  const [command, ...args] = await commands[language](options);
  return {
    language,
    async run(operation, keys, payloads) {
      const env = cleanEnv({ CODEC_KEYS: keys.join(';') });
      const child = spawn(command, [...args, operation], { env, timeout: timeoutMs });
      child.stdin.on('error', () => undefined);
      child.stdin.end(payloads);
      const [output, said] = await Promise.all([text(child.stdout), text(child.stderr)]);
      if (output === '') throw new Error(`${language} ${operation}: ${said}`);
      return output;
    },
  };
}

/** A start of each takes at most some seconds. */
const timeoutMs = 60_000;
