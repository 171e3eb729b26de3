import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** One chain of a home: the supervisor's, or that of a gateway process beside it. */
export interface AuditChain {
  /** Empty for the home's own; `gateway-<n>` for that of a gateway process. */
  readonly name: string;
  readonly folder: string;
}

const PROCESS_CHAIN = /^gateway-([1-9]\d{0,3})$/;

/** The folder, within the home's audit folder, of what the gateway process in a place records. @param slot from 1. */
export function chainOfProcess(slot: number): string {
  return `gateway-${slot}`;
}

/**
 * Every chain of a home, or of a copy of its audit folder: its own first, then those of the gateway processes.
 * @throws where the folder cannot be read.
 */
export async function listChains(folder: string): Promise<readonly AuditChain[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  const places = entries
    .filter((entry) => entry.isDirectory())
    .flatMap(({ name }) => {
      const place = PROCESS_CHAIN.exec(name)?.[1];
      return place === undefined ? [] : [Number(place)];
    })
    .sort((a, b) => a - b);
  return [
    { name: '', folder },
    ...places.map((place) => ({ name: chainOfProcess(place), folder: join(folder, chainOfProcess(place)) })),
  ];
}
