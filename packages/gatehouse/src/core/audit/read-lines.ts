import { open } from 'node:fs/promises';
import { LINE_BYTES_MAX } from './chain.ts';

/** Some whole lines of a file, without their line breaks, and what follows the last of them so far. */
export interface LineBatch {
  readonly lines: readonly string[];
  /** Bytes at the end of the file that no line break ends. Empty but in the last batch. */
  readonly rest: string;
}

const CHUNK_BYTES = 262_144;

/**
 * Reads a file in constant memory. Bytes become characters one to one (Latin-1), so nothing is repaired on
 * the way and a line's length is its size. A line over the limit is given out cut: it is not one of ours,
 * and the reader's check will say so.
 */
export async function* readLines(path: string, from = 0): AsyncGenerator<LineBatch> {
  const file = await open(path, 'r');
  try {
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
    let rest = '';
    let position = from;
    for (;;) {
      const { bytesRead } = await file.read(chunk, 0, CHUNK_BYTES, position);
      if (bytesRead === 0) break;
      position += bytesRead;
      const lines = (rest + chunk.toString('latin1', 0, bytesRead)).split('\n');
      rest = lines.pop() ?? '';
      if (rest.length > LINE_BYTES_MAX) {
        lines.push(rest);
        rest = '';
      }
      if (lines.length > 0) yield { lines, rest: '' };
    }
    if (rest !== '') yield { lines: [], rest };
  } finally {
    await file.close();
  }
}
