import { globSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { pathToFileURL } from 'node:url';

/** What an `x.fuzz.ts` beside the parser `x.ts` exports. */
export interface FuzzTarget {
  /**
   * Feeds the parser. Inputs that are refused as they should be are no fault.
   * @throws whatever says that a promise is broken.
   */
  readonly fuzz: (bytes: Buffer) => void | Promise<void>;
  /** Lets go of what would keep the process alive. */
  readonly close?: () => void;
  /** Words of the format that do not stand in the sources of the parser's folder. */
  readonly dictionary?: readonly (string | Uint8Array)[];
  /** Inputs to begin with, besides the corpus. */
  readonly seeds?: () => Iterable<string | Uint8Array> | AsyncIterable<string | Uint8Array>;
  /** Longer inputs are not tried; {@link INPUT_BYTES_MAX} where it is absent. */
  readonly bytesMax?: number;
  /** From this byte on an input is a protobuf message: most changes then keep its lengths right. */
  readonly protobufFrom?: number;
  /** From this byte on an input is a JSON text: most changes then are of one value. */
  readonly jsonFrom?: number;
}

export const INPUT_BYTES_MAX = 4096;
const ROOT = join(import.meta.dirname, '../../..');
export const CORPUS: string = join(ROOT, 'test/fuzz/corpus');

/** A file of a target, and the name it goes by. */
export interface TargetFile {
  readonly name: string;
  readonly file: string;
}

/** All targets of the repository, by name. */
export function targetFiles(): TargetFile[] {
  return globSync('packages/*/src/**/*.fuzz.ts', { cwd: ROOT })
    .map((file) => ({ name: basename(file, '.fuzz.ts'), file: join(ROOT, file) }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** @throws Error where the file exports no target. */
export async function loadTarget(file: string): Promise<FuzzTarget> {
  const loaded: unknown = await import(pathToFileURL(file).href);
  if (typeof loaded !== 'object' || loaded === null || !('fuzz' in loaded))
    throw new Error(`${file} exports no function fuzz`);
  return loaded as FuzzTarget;
}

/** The inputs that are kept for a target: its folder of the corpus, in the order of names. */
export function readCorpus(folder: string): Buffer[] {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  return names.sort().map((name) => readFileSync(join(folder, name)));
}

export function bytesOf(word: string | Uint8Array): Buffer {
  return typeof word === 'string' ? Buffer.from(word, 'utf8') : Buffer.from(word);
}

/** What a target begins with, besides its corpus. */
export async function seedsOf(target: FuzzTarget): Promise<Buffer[]> {
  const seeds: Buffer[] = [];
  for await (const seed of target.seeds?.() ?? []) seeds.push(bytesOf(seed));
  return seeds;
}
