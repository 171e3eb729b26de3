import type { Kms } from '#base/crypto/kms';
import type { Clock } from '#base/runtime/clock';
import type { Log } from '#base/runtime/log';
import type { DirectoryImage } from './directory-image.ts';
import { type SealedCopy, writeSealedCopy, writeSealedStamp } from './sealed-copy.ts';

/** After a change: several in a row make one file. */
const DEBOUNCE_MS = 250;
/** How far the time on disk may lag behind: nothing against the ceiling of a day. */
const STAMP_MS = 30_000;
/** After a write that failed. */
const RETRY_MS = 5_000;

/** Keeps the sealed copy near the snapshot, in the background. */
export interface CopyKeeper {
  /** Called whenever the database has confirmed an image; writes when it is time to. */
  offer(copy: SealedCopy): void;
  /** Writes the last image offered, unless it is on disk. */
  flush(): Promise<void>;
}

export interface CopyKeeperOptions {
  readonly path: string;
  readonly kms: Kms;
  readonly clock: Clock;
  readonly log: Log;
}

export function createCopyKeeper({ path, kms, clock, log }: CopyKeeperOptions): CopyKeeper {
  let offered: SealedCopy | undefined;
  let onDisk: DirectoryImage | undefined;
  let changedAt: number | undefined;
  let nextStampAt = -Infinity;
  let retryAt = -Infinity;
  let writing: Promise<void> | undefined;

  const write = async (copy: SealedCopy): Promise<void> => {
    try {
      if (copy.image === onDisk) await writeSealedStamp(path, kms, copy);
      else await writeSealedCopy(path, kms, copy);
      onDisk = copy.image;
      nextStampAt = clock.monotonicMs() + STAMP_MS;
    } catch (error) {
      retryAt = clock.monotonicMs() + RETRY_MS;
      log.error('the sealed copy of the directory cannot be written', { path, error });
    }
  };
  const begin = (copy: SealedCopy): Promise<void> => {
    changedAt = undefined;
    writing = write(copy).finally(() => {
      writing = undefined;
    });
    return writing;
  };
  const isDue = (copy: SealedCopy, now: number): boolean => {
    if (now < retryAt) return false;
    if (copy.image === onDisk) return now >= nextStampAt;
    changedAt ??= now;
    return onDisk === undefined || now - changedAt >= DEBOUNCE_MS;
  };
  return {
    offer(copy) {
      offered = copy;
      if (writing === undefined && isDue(copy, clock.monotonicMs())) void begin(copy);
    },
    async flush() {
      await writing;
      if (offered !== undefined && offered.image !== onDisk) await begin(offered);
    },
  };
}
