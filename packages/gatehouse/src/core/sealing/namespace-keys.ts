import type { NamespaceKeyring } from '#base/crypto/namespace-keyring';
import type { NamespaceRecord } from '#base/model/namespace-record';
import { refuse } from '#base/model/refusals';
import type { Directory } from '#base/store/directory';
import { createKmsQueue } from './keys/kms-queue.ts';
import { NamespaceEntry, type NamespaceEntryOptions } from './keys/namespace-entry.ts';

/** F-06: how long what the KMS gave serves without it. */
const CACHE_MS = 3_600_000;
/** F-07: a key that is disabled in its KMS stops its namespace within this. */
const CHECK_MAX_MS = 300_000;
/** How long a caller waits for a KMS before it is told to try again. */
const PATIENCE_MS = 10_000;
/** Longer than the two tries of an adapter: only what never answers is given up by this. */
const ANSWER_MS = 15_000;
/** How often one namespace's unknown keys may make us ask the directory. */
const REFRESH_MS = 5_000;
const SWEEP_MAX_MS = 60_000;

export interface NamespaceKeysOptions
  extends Pick<NamespaceEntryOptions, 'directory' | 'kmsOf' | 'createKeyring' | 'clock' | 'log'> {
  /** The region that this process serves; no other's keys are unwrapped. */
  readonly region: string;
  /** How long keys live after the KMS' last good answer, and unused ones after their last use: 1 h. */
  readonly cacheMs?: number;
  /** How long callers wait for the KMS: 10 s. */
  readonly patienceMs?: number;
  /** Spreads renewals; a parameter for tests. */
  readonly random?: () => number;
}

/**
 * The unwrapped keys of the namespaces in use. All of it fails closed: there is no answer but the namespace's own
 * keyring or a refusal.
 */
export interface NamespaceKeys {
  /**
   * The keyring of a namespace: at once where it is held, otherwise as soon as the KMS has answered. Take it anew
   * for every call, and do not keep it.
   * @throws Refusal (or rejects with it) `encryption_unavailable`, `encryption_key_disabled`, `namespace_erased`.
   */
  get(record: NamespaceRecord): NamespaceKeyring | Promise<NamespaceKeyring>;
  /**
   * The keyring after the directory was asked for newer keys, for a box that names a key which {@link get}'s does
   * not have. Asks at most once in a while: boxes come from others. Refuses as `get` does.
   */
  refreshed(record: NamespaceRecord): Promise<NamespaceKeyring>;
  /** Forgets the keys of a namespace's incarnation. */
  drop(namespaceUuid: string): void;
  /** Told that a KMS key is disabled: the namespaces that need it stop now (F-07). */
  keyDisabled(kmsKeyId: string): void;
  close(): void;
}

export function createNamespaceKeys(options: NamespaceKeysOptions): NamespaceKeys {
  const { directory, clock, region, cacheMs = CACHE_MS, patienceMs = PATIENCE_MS } = options;
  const entries = new Map<string, NamespaceEntry>();
  const queue = createKmsQueue({ answerMs: ANSWER_MS });
  const checkMs = Math.min(cacheMs / 2, CHECK_MAX_MS);
  const { random = Math.random } = options;
  const refresh = sharedRefresh(directory);
  const parts: NamespaceEntryOptions = {
    ...options,
    directory: { namespaceKeys: (uuid) => directory.namespaceKeys(uuid), refresh },
    queue,
    cacheMs,
    checkMs,
    patienceMs,
    random,
  };
  let closed = false;

  const entryOf = (record: NamespaceRecord): NamespaceEntry => {
    if (closed) throw refuse('encryption_unavailable', { detail: 'the namespace keys are closed' });
    if (record.region !== region) {
      const detail = `${record.id} is of region ${record.region}, not of ${region}`;
      throw refuse('encryption_unavailable', { detail });
    }
    const known = entries.get(record.uuid);
    if (known !== undefined) return known;
    const entry = new NamespaceEntry(parts, record);
    entries.set(record.uuid, entry);
    return entry;
  };
  const drop = (uuid: string): void => {
    entries.get(uuid)?.close();
    entries.delete(uuid);
  };
  const sweep = setInterval(
    () => {
      const now = clock.monotonicMs();
      for (const [uuid, entry] of entries) if (entry.isIdle(now)) drop(uuid);
    },
    Math.min(cacheMs / 4, SWEEP_MAX_MS),
  );
  sweep.unref();
  const get = (record: NamespaceRecord): NamespaceKeyring | Promise<NamespaceKeyring> =>
    entries.get(record.uuid)?.current(record, clock.monotonicMs()) ?? entryOf(record).take(record);
  return {
    get,
    async refreshed(record) {
      const entry = entryOf(record);
      const now = clock.monotonicMs();
      if (now >= entry.refreshAtMs) {
        entry.refreshAtMs = now + REFRESH_MS;
        entry.refreshing = refresh().finally(() => {
          entry.refreshing = undefined;
        });
      }
      await entry.refreshing;
      return await entry.takeNewest(record);
    },
    drop,
    keyDisabled(kmsKeyId) {
      for (const entry of entries.values()) entry.disable(kmsKeyId);
    },
    close() {
      closed = true;
      clearInterval(sweep);
      for (const uuid of [...entries.keys()]) drop(uuid);
    },
  };
}

/** One question to the directory at a time; who asks while it runs gets the next one's answer. */
function sharedRefresh(directory: Pick<Directory, 'refresh'>): () => Promise<void> {
  let running: Promise<void> | undefined;
  let next: Promise<void> | undefined;
  const begin = (): Promise<void> => {
    running = directory.refresh().finally(() => {
      running = undefined;
    });
    return running;
  };
  return () => {
    if (running === undefined) return begin();
    next ??= running.then(() => {
      next = undefined;
      return begin();
    });
    return next;
  };
}
