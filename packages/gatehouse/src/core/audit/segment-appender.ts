import type { Log } from '#base/runtime/log';
import { type SegmentFile, type SegmentFiles, segmentPath } from './segment-files.ts';

/** Appends to the newest segment. What failed is taken back and may be tried again, in the same place. */
export interface SegmentAppender {
  /**
   * Writes the bytes after all that was written before, and syncs it all where `durable`. Keeps what is not
   * synced: after a failed sync the kernel may call the pages clean, and only writing them again makes it true.
   */
  append(segment: number, bytes: Buffer, durable: boolean): Promise<void>;
  /** Something is written that a loss of power could still take. */
  hasUnsynced(): boolean;
  current(): number;
  close(): Promise<void>;
}

export interface SegmentAppenderOptions {
  readonly folder: string;
  readonly files: SegmentFiles;
  readonly log: Log;
  /** Where to go on. `bytes` is the length of the whole segment; 0 means that its file is still to be made. */
  readonly start: { readonly segment: number; readonly bytes: number };
}

export function openSegmentAppender(options: SegmentAppenderOptions): SegmentAppender {
  let file: SegmentFile | undefined;
  let current = options.start.segment;
  let syncedBytes = options.start.bytes;
  let unsynced: Buffer[] = [];
  /** The file holds `unsynced`; false after a failure took it back. */
  let isWritten = true;

  const openFor = async (segment: number): Promise<SegmentFile> => {
    if (file !== undefined && segment === current) return file;
    // An older segment is whole on disk before the next one begins.
    if (segment !== current && unsynced.length > 0) await commit(await openFor(current), NOTHING, true);
    const before = file;
    file = undefined;
    await before?.close();
    if (segment !== current) syncedBytes = 0;
    current = segment;
    const path = segmentPath(options.folder, segment);
    const isNew = syncedBytes === 0 && unsynced.length === 0;
    file = await (isNew ? options.files.create(path) : options.files.reopen(path));
    return file;
  };

  const commit = async (target: SegmentFile, bytes: Buffer, durable: boolean): Promise<void> => {
    try {
      const before = unsynced.reduce((sum, each) => sum + each.length, 0);
      if (!isWritten) await target.write(Buffer.concat(unsynced), syncedBytes);
      if (bytes.length > 0) await target.write(bytes, syncedBytes + before);
      isWritten = true;
      if (durable) await target.sync();
    } catch (error) {
      isWritten = false;
      await target.truncate(syncedBytes).catch((truncateError: unknown) => {
        options.log.debug('a torn audit tail stays until the next write', { error: truncateError });
      });
      throw error;
    }
    if (bytes.length > 0) unsynced.push(bytes);
    if (!durable) return;
    syncedBytes += unsynced.reduce((sum, each) => sum + each.length, 0);
    unsynced = [];
  };

  return {
    append: async (segment, bytes, durable) => commit(await openFor(segment), bytes, durable),
    hasUnsynced: () => unsynced.length > 0,
    current: () => current,
    async close() {
      const open = file;
      file = undefined;
      await open?.close();
    },
  };
}

const NOTHING = Buffer.alloc(0);
