import { generateKeySync, type KeyObject } from 'node:crypto';
import type { Kms } from '#base/crypto/kms';
import type { Clock } from '#base/runtime/clock';
import type { Log } from '#base/runtime/log';
import { type AuditPeriod, boundsOf, periodOf } from './audit-period.ts';
import { eraseDataKey, listDataKeys, makeDataKey, readDataKey } from './data-key-files.ts';

/** What seals the fields of one period. The period's end is part of it: afterwards ask for the next one. */
export interface AuditDataKey {
  /** 16 hex digits; stands in every box. */
  readonly id: string;
  readonly key: KeyObject;
  /** Unix ms: inclusive, exclusive. */
  readonly fromMs: number;
  readonly untilMs: number;
}

/** The data keys of a chain, one for each calendar month. */
export interface AuditDataKeys {
  /**
   * The key of this time. Never waits: where the clock leapt to a month whose key is not made yet, the last
   * key serves until it is.
   */
  at(nowMs: number): AuditDataKey;
  /** Waits for what is being written. */
  close(): Promise<void>;
}

export interface AuditDataKeysOptions {
  /** Where the sealed files are. Not the chain's own folder, which goes to auditors. */
  readonly folder: string;
  readonly kms: Kms;
  readonly clock: Clock;
  readonly log: Log;
}

const RETRY_MS = 60_000;

/**
 * Opens the keys of this month and the next, or makes them: the turn of the month then needs no disk.
 * @throws SealedFileError where a key of theirs is there but does not open; or where the disk does not let it.
 */
export async function openAuditDataKeys(options: AuditDataKeysOptions): Promise<AuditDataKeys> {
  const { folder, kms, clock, log } = options;
  await finishErasures(folder);
  const held = new Map<AuditPeriod, AuditDataKey>();
  let last = await hold(periodOf(clock.now()));
  await hold(periodOf(last.untilMs));
  let preparing: Promise<void> | undefined;
  let notBeforeMs = 0;

  async function hold(period: AuditPeriod): Promise<AuditDataKey> {
    const key = { ...(await findOrMake(folder, period, kms)), ...boundsOf(period) };
    held.set(period, key);
    return key;
  }

  const prepare = (period: AuditPeriod): void => {
    if (held.has(period) || preparing !== undefined || clock.monotonicMs() < notBeforeMs) return;
    preparing = hold(period)
      .then(() => undefined)
      .catch((error: unknown) => {
        notBeforeMs = clock.monotonicMs() + RETRY_MS;
        log.warn('an audit data key could not be made; the last one serves meanwhile', { period, error });
      })
      .finally(() => {
        preparing = undefined;
      });
  };

  return {
    at(nowMs) {
      const period = periodOf(nowMs);
      const found = held.get(period);
      if (found === undefined) {
        prepare(period);
        return last;
      }
      if (found !== last) {
        last = found;
        // What was sealed earlier is opened by others: this process needs no older key.
        for (const [each, { untilMs }] of held) if (untilMs <= found.fromMs) held.delete(each);
      }
      prepare(periodOf(found.untilMs));
      return found;
    },
    async close() {
      await preparing;
    },
  };
}

/** Keys that live in memory only: for tests, and chains that nobody needs to read again. */
export function createAuditDataKeys(): AuditDataKeys {
  const held = new Map<AuditPeriod, AuditDataKey>();
  return {
    at(nowMs) {
      const period = periodOf(nowMs);
      const key = held.get(period) ?? {
        id: String(held.size).padStart(16, '0'),
        key: generateKeySync('aes', { length: 256 }),
        ...boundsOf(period),
      };
      held.set(period, key);
      return key;
    },
    close: () => Promise.resolve(),
  };
}

async function findOrMake(
  folder: string,
  period: AuditPeriod,
  kms: Kms,
): Promise<{ readonly id: string; readonly key: KeyObject }> {
  for (const file of await listDataKeys(folder)) {
    if (file.period !== period || file.state !== 'there') continue;
    const key = await readDataKey(folder, file, kms);
    if (key !== undefined) return { id: file.id, key };
  }
  return await makeDataKey(folder, period, kms);
}

/** What a crash kept from being destroyed, or a backup brought back. */
async function finishErasures(folder: string): Promise<void> {
  for (const file of await listDataKeys(folder)) {
    if (file.state === 'erasing') await eraseDataKey(folder, file);
  }
}
