import { readdirSync, readFileSync } from 'node:fs';
import type { ScanInput } from '../../packages/gatehouse/src/testing/proto/scan-target.ts';

export interface CorpusEntry {
  readonly name: string;
  /** What this input once showed, or might show. */
  readonly why: string;
  readonly input: ScanInput;
}

interface CorpusFile extends Pick<ScanInput, 'path' | 'direction'> {
  readonly why: string;
  readonly hex: string;
}

/** Inputs that once showed a fault, and shapes of known attacks. */
export function loadCorpus(): CorpusEntry[] {
  const folder = new URL('corpus/', import.meta.url);
  return readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .sort()
    .map((name) => {
      const { why, path, direction, hex } = JSON.parse(
        readFileSync(new URL(name, folder), 'utf8'),
      ) as CorpusFile;
      return { name, why, input: { path, direction, bytes: Buffer.from(hex, 'hex') } };
    });
}
