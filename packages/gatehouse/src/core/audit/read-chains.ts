import { setTimeout as wait } from 'node:timers/promises';
import type { AuditRecord, RecordReader } from './audit-record.ts';
import { type AuditChain, listChains } from './chains.ts';
import { type RecordFilter, searchRecords } from './search.ts';
import { followRecords, tailRecords } from './tail.ts';

/** A reader for each chain: what it knows of a header holds for one. */
export type ReaderOf = () => RecordReader;

/** Records of every chain of a home, each marked with its chain, in the order of their times. */
export async function* searchChains(
  folder: string,
  filter: RecordFilter,
  readerOf: ReaderOf,
): AsyncGenerator<AuditRecord> {
  const chains = await listChains(folder);
  yield* merge(
    chains.map(({ name, folder: place }) => marked(name, searchRecords(place, filter, readerOf()))),
  );
}

export interface ChainsTail {
  /** The last of all chains together, oldest first. */
  readonly records: readonly AuditRecord[];
  /** By chain: number of the last record that was read; follow from there. */
  readonly lastSeqs: ReadonlyMap<string, number>;
}

/** The last `count` records that pass, of all chains of a home. */
export async function tailChains(
  folder: string,
  count: number,
  filter: RecordFilter,
  readerOf: ReaderOf,
): Promise<ChainsTail> {
  const lastSeqs = new Map<string, number>();
  const tails: AsyncGenerator<AuditRecord>[] = [];
  for (const { name, folder: place } of await listChains(folder)) {
    const found = await tailRecords(place, count, filter, readerOf());
    lastSeqs.set(name, found.at(-1)?.seq ?? -1);
    tails.push(marked(name, found));
  }
  const all: AuditRecord[] = [];
  for await (const record of merge(tails)) all.push(record);
  return { records: all.slice(-count), lastSeqs };
}

const NEW_CHAIN_MS = 1000;

/** What is written from now on in any chain, also in one that is begun meanwhile. */
export async function* followChains(
  folder: string,
  lastSeqs: ReadonlyMap<string, number>,
  filter: RecordFilter,
  signal: AbortSignal,
  readerOf: ReaderOf,
): AsyncGenerator<AuditRecord> {
  const waiting: AuditRecord[] = [];
  const followed = new Set<string>();
  let fault: { readonly error: unknown } | undefined;
  let wake: () => void = () => undefined;
  const fail = (error: unknown): void => {
    fault ??= { error };
    wake();
  };
  const pump = async ({ name, folder: place }: AuditChain): Promise<void> => {
    const coming = followRecords(place, lastSeqs.get(name) ?? -1, filter, signal, readerOf());
    for await (const record of marked(name, coming)) {
      waiting.push(record);
      wake();
    }
  };
  const look = async (): Promise<void> => {
    while (!signal.aborted) {
      for (const chain of await listChains(folder)) {
        if (followed.has(chain.name)) continue;
        followed.add(chain.name);
        pump(chain).catch(fail);
      }
      await wait(NEW_CHAIN_MS, undefined, { signal }).catch(() => undefined);
    }
    wake();
  };
  look().catch(fail);
  while (!signal.aborted) {
    const woken = new Promise<void>((resolve) => {
      wake = resolve;
    });
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) yield next;
    if (fault !== undefined) throw fault.error;
    await woken;
  }
}

/** By time, earliest first; the order within a chain stays, however wall clocks stepped. */
async function* merge(chains: readonly AsyncGenerator<AuditRecord>[]): AsyncGenerator<AuditRecord> {
  const heads: { chain: AsyncGenerator<AuditRecord>; record: AuditRecord }[] = [];
  for (const chain of chains) {
    const { value, done } = await chain.next();
    if (done !== true) heads.push({ chain, record: value });
  }
  while (heads.length > 0) {
    const earliest = heads.reduce((least, head) => (head.record.timeMs < least.record.timeMs ? head : least));
    yield earliest.record;
    const { value, done } = await earliest.chain.next();
    if (done === true) heads.splice(heads.indexOf(earliest), 1);
    else earliest.record = value;
  }
}

async function* marked(
  name: string,
  records: AsyncIterable<AuditRecord> | Iterable<AuditRecord>,
): AsyncGenerator<AuditRecord> {
  for await (const record of records) yield name === '' ? record : { ...record, chain: name };
}
