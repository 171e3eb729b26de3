import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomic } from '#base/runtime/safe-file';
import { readLine, type WholeLine } from './chain.ts';
import { parseCheckpoint } from './marker-lines.ts';

/**
 * A copy of the newest checkpoint beside the chain, so that a cut tail is noticed too: the chain alone
 * cannot show what once followed its end. Always older than the disk's chain, never newer.
 */
export const LATEST_CHECKPOINT_FILE = 'latest-checkpoint.json';

export async function writeLatestCheckpoint(folder: string, line: string): Promise<void> {
  await writeFileAtomic(join(folder, LATEST_CHECKPOINT_FILE), line);
}

/** @returns undefined where there is none. @throws where it is not as it was written. */
export async function readLatestCheckpoint(folder: string): Promise<WitnessLine | undefined> {
  let text: string;
  try {
    text = await readFile(join(folder, LATEST_CHECKPOINT_FILE), 'latin1');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
  const [line] = parseWitness(text);
  if (line === undefined) throw new Error(`${LATEST_CHECKPOINT_FILE} is empty`);
  return line;
}

/** A whole checkpoint line, with the chain that it names. */
export type WitnessLine = WholeLine & { readonly chain: string };

/**
 * Checkpoint lines that were put aside earlier, one a line: what a witness outside holds against a chain
 * that was written anew with another key (T-087).
 * @throws where a line is not a whole checkpoint line.
 */
export function parseWitness(text: string): WitnessLine[] {
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line, index) => {
      const whole = readLine(line);
      const parsed = whole?.kind === 'checkpoint' ? parseCheckpoint(line) : undefined;
      if (whole === undefined || parsed === undefined) {
        throw new Error(`checkpoint line ${index + 1} was changed or cut`);
      }
      return { ...whole, chain: parsed.checkpoint.chain };
    });
}
