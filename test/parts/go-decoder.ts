import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { cp, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { buildPart, type PartOptions } from './build-part.ts';
import { cleanEnv } from './clean-env.ts';
import { runStep } from './run-step.ts';

/** What the engine's decoder makes of a message; `error` is set where it refuses. */
export interface GoDecoded {
  readonly error?: string;
  /** `service/method`, by the rules of grpc-go. */
  readonly method?: string;
  /** Type of the message. */
  readonly type?: string;
  /** `role:number:hex`, or `role:number:message`. */
  readonly mentions: readonly string[];
  /** `number:hex` of all that follows the tag. */
  readonly unknown: readonly string[];
}

export interface DecodeQuestion {
  readonly path: string;
  readonly direction: 'request' | 'response';
  readonly bytes: Uint8Array;
}

/**
 * Roles of fields by their full names, such as `temporal.api.common.v1.WorkflowExecution.workflow_id`; of the values
 * of a map with `#value` behind it.
 */
export interface FieldRoles {
  readonly request: Readonly<Record<string, number>>;
  readonly response: Readonly<Record<string, number>>;
  /** Roles that a map's entries have, not its keys. */
  readonly entries: readonly number[];
}

/** A decoder in a process of its own. Many questions may be under way: they are answered in order. */
export interface GoDecoder {
  decode(question: DecodeQuestion): Promise<GoDecoded>;
  close(): void;
}

/** Path of the program in `godecode/`, built once for each state of its sources. */
async function obtainGoDecoder(options: PartOptions): Promise<string> {
  const sources = fileURLToPath(new URL('godecode', import.meta.url));
  const files = (await readdir(sources)).filter((name) => /\.go$|^go\.(?:mod|sum)$/.test(name)).sort();
  const inputs = await Promise.all(files.map((file) => readFile(join(sources, file), 'utf8')));
  const folder = await buildPart('godecode', [...files, ...inputs], options, async (into) => {
    for (const file of files) await cp(join(sources, file), join(into, file));
    options.progress?.('godecode: go build');
    await runStep('go', ['build', '-mod=readonly', '-trimpath', '-o', 'godecode', '.'], {
      cwd: into,
      env: { GOTOOLCHAIN: 'local' },
    });
  });
  return join(folder, 'godecode');
}

/** Starts the engine's decoder. Close it: the process waits for questions until then. */
export async function startGoDecoder(roles: FieldRoles, options: PartOptions = {}): Promise<GoDecoder> {
  const child = spawn(await obtainGoDecoder(options), [], { env: cleanEnv() });
  const waiting: ((outcome: GoDecoded | Error) => void)[] = [];
  const endAll = (reason: string): void => {
    for (const settle of waiting.splice(0)) settle(new Error(`the decoder ended: ${reason}`));
  };
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-2000);
  });
  child.on('error', (error) => endAll(error.message));
  child.on('close', (code, signal) => endAll(`${code ?? signal} ${said}`));
  // A broken pipe is told by the end of the process.
  child.stdin.on('error', () => undefined);
  createInterface({ input: child.stdout }).on('line', (line) => {
    waiting.shift()?.(JSON.parse(line) as GoDecoded);
  });
  writeFrame(child, Buffer.from(JSON.stringify(roles)));
  return {
    decode: (question) =>
      new Promise((resolve, reject) => {
        if (child.exitCode !== null) return reject(new Error(`the decoder ended: ${said}`));
        waiting.push((outcome) => (outcome instanceof Error ? reject(outcome) : resolve(outcome)));
        return writeFrame(child, questionBytes(question));
      }),
    close: () => child.stdin.end(),
  };
}

function questionBytes({ path, direction, bytes }: DecodeQuestion): Buffer {
  const name = Buffer.from(path, 'utf8');
  const head = Buffer.alloc(3);
  head[0] = direction === 'request' ? 0 : 1;
  head.writeUInt16BE(name.length, 1);
  return Buffer.concat([head, name, bytes]);
}

function writeFrame(child: ChildProcessWithoutNullStreams, content: Buffer): void {
  const prefix = Buffer.alloc(4);
  prefix.writeUInt32BE(content.length);
  child.stdin.write(prefix);
  child.stdin.write(content);
}
