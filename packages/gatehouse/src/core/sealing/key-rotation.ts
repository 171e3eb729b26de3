import type { Kms } from '#base/crypto/kms';
import type { NamespaceRecord } from '#base/model/namespace-record';
import type { Clock } from '#base/runtime/clock';
import type { Log } from '#base/runtime/log';
import type { Directory, DirectoryWriter } from '#base/store/directory';
import { newestOf } from './keys/key-rows.ts';
import { rotateNamespaceKey } from './make-namespace-keys.ts';

const DAY_MS = 86_400_000;
/** A key that is a few minutes older than it should be harms nobody. */
const LOOK_MS = 300_000;
/** One KMS that does not answer must not keep the others' keys from being made. */
const AT_ONCE_MAX = 8;

export interface KeyRotationOptions {
  readonly directory: Pick<Directory, 'namespaceKeys' | 'refresh' | 'snapshot' | 'state'> & {
    readonly write: Pick<DirectoryWriter, 'addNamespaceKeys'>;
  };
  /** The KMS key that wraps new keys of a namespace; `undefined` where it is not known here. */
  readonly kmsFor: (record: NamespaceRecord) => Kms | undefined;
  readonly region: string;
  /** How old a payload key may be before it gets a successor. */
  readonly namespaceKeyDays: number;
  readonly clock: Clock;
  readonly log: Log;
  /** For the audit chain: told once of each key, by the process that made it. */
  readonly onRotated?: (rotated: { readonly namespaceId: string; readonly keyId: string }) => void;
  readonly lookMs?: number;
  /** For the first look, so that replicas that start together do not all make a key. */
  readonly random?: () => number;
}

export interface KeyRotation {
  /** Looks now. Never rejects. */
  look(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Gives every sealed namespace of this region a newer payload key when its newest has the age for it. Any
 * number of replicas may do so: one of them makes the key. Attribute keys are never rotated by time.
 */
export function startKeyRotation(options: KeyRotationOptions): KeyRotation {
  const { lookMs = LOOK_MS, random = Math.random } = options;
  let running: Promise<void> | undefined;
  let stopped = false;
  const look = (): Promise<void> => {
    running ??= rotateAllDue(options, () => stopped).finally(() => {
      running = undefined;
    });
    return running;
  };
  let timer: NodeJS.Timeout;
  const later = (ms: number): void => {
    timer = setTimeout(() => void look().then(() => stopped || later(lookMs)), ms);
    timer.unref();
  };
  later(lookMs * random());
  return {
    look,
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await running;
    },
  };
}

async function rotateAllDue(options: KeyRotationOptions, isStopped: () => boolean): Promise<void> {
  const { directory, log } = options;
  // Written keys would be lost to whom the directory is away from, and the ages in an old snapshot are old.
  if (directory.state() !== 'current') return;
  const due = [...directory.snapshot().namespaces.values()].filter((record) => isDue(options, record));
  const work = due.values();
  const takeTurns = async (): Promise<void> => {
    for (const record of work) {
      if (isStopped()) return;
      await rotate(options, record).catch((error: unknown) => {
        log.warn('a namespace key could not be rotated; tried again later', { namespace: record.id, error });
      });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE_MAX }, takeTurns));
}

/** A namespace without any key is not due: its first one is made where sealing is switched on. */
function isDue({ directory, region, namespaceKeyDays, clock }: KeyRotationOptions, record: NamespaceRecord) {
  if (record.region !== region || record.sealing === 'off' || record.state === 'deleted') return false;
  const newest = newestOf(directory.namespaceKeys(record.uuid), 'payload');
  return newest !== undefined && newest.createdAtMs + namespaceKeyDays * DAY_MS <= clock.now();
}

async function rotate(options: KeyRotationOptions, record: NamespaceRecord): Promise<void> {
  const { directory, kmsFor, clock, log, onRotated } = options;
  const kms = kmsFor(record);
  if (kms === undefined)
    throw new Error(`the KMS key ${record.kmsKey || 'of the platform'} is not configured`);
  // Those before it in the list took their time: another replica may have been here.
  if (!isDue(options, record)) return;
  const { row, made } = await rotateNamespaceKey({ directory, kms, clock }, record, 'payload');
  if (!made) return;
  log.info('a namespace key was rotated', { namespace: record.id, keyId: row.id });
  onRotated?.({ namespaceId: record.id, keyId: row.id });
}
